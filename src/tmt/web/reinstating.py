"""The route by which a person takes a suspended account back into trading."""

from __future__ import annotations

import msgspec
from litestar import post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from tmt import messages as m
from tmt.access.roles import Operation
from tmt.projections.sentences import sentence
from tmt.web.keeper import demand, principal, requires, says
from tmt.web.problem import Refused
from tmt.web.trading_forms import Reason
from tmt.web.trading_reads import Named, PersonsRequest, TradedDesk


class Reinstatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks to take a suspended account back into trading."""

    reason: Reason


class Reinstated(msgspec.Struct, frozen=True, kw_only=True):
    """The account trades again; `rule` had suspended it. `position` is the request's in the event log."""

    account: str
    rule: str
    message_id: str
    position: int


def reinstating_route(desk: TradedDesk) -> BaseRouteHandler:
    """`POST /api/v1/accounts/{account}/reinstate`."""

    @post(
        "/api/v1/accounts/{account:str}/reinstate",
        status_code=200,
        summary="Take a suspended account back into trading",
        description="409 when it is not suspended, or compliance finds it beyond a limit, or its day must turn first.",
        guards=[requires(Operation.RESUME)],
        opt={"once": False},
    )
    async def reinstate(request: PersonsRequest, account: Named, data: JSONBody[Reinstatement]) -> Reinstated:
        who = principal(request)
        if not who.may(Operation.READ, account):
            raise Refused(404, "", "there is no such account")
        await demand(request, Operation.RESUME, account)
        says(request, account, account=account, reason=data.reason)
        known, position = await desk.read(lambda reader: (reader.portfolio.account(account), reader.position))
        if known is None:
            raise Refused(404, "", "there is no such account")
        key = (who.name, account, f"at {position}")
        command = m.ReinstateAccount.root(
            who.name, 0, *key, account=account, person=who.name, role=who.role, reason=data.reason
        )
        taken = await desk.ask(command)
        for answer in taken.answers:
            match answer:
                case m.AccountReinstated(rule=rule):
                    return Reinstated(account=account, rule=rule, message_id=taken.message_id, position=taken.position)
                case m.AccountSuspended():
                    raise Refused(409, "", f"the account stays out of trading: {sentence(answer)}")
                case _:
                    pass
        raise Refused(409, "", "the account is not suspended")

    return reinstate
