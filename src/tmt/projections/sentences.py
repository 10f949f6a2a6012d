"""One sentence a message, the same in terminal, log line and page; and numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from tmt import messages as m
from tmt.domain.money import ZERO
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.domain.stop import StopScope


def plain(value: Decimal) -> str:
    """Digits without exponent or trailing zeros; zero has no sign."""
    if value == ZERO:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def utc(time_ns: int) -> str:
    """Date and time to the second, such as "2024-03-01 14:05:00"; UTC."""
    return datetime.fromtimestamp(time_ns // NANOSECONDS_PER_SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")


def sentence(message: m.Message) -> str:
    """What a message says, without its time."""
    match message:
        case m.OrderDenied() | m.GateApproval():
            return _of_gate(message)
        case m.BreakerTransition():
            return _of_breaker(message)
        case m.OrderSubmitted() | m.CancelSubmitted() | m.ReplaceSubmitted():
            return _of_submission(message)
        case m.VenueEvent():
            return _of_venue(message)
        case m.ScheduleStarted() | m.SliceDue() | m.ScheduleEnded():
            return _of_schedule(message)
        case (
            m.ExitRaised() | m.RiskMeasured() | m.MarginLevelChanged() | m.CorrelationsMeasured() | m.CopyTradingSeen()
        ):
            return _of_risk(message)
        case m.WyckoffEventSeen() | m.PhaseChanged() | m.SignalRaised():
            return _of_analysis(message)
        case m.PositionClosed() | m.StatisticsUpdated() | m.ParameterProposed():
            return _of_outcome(message)
        case (
            m.AccountSuspended()
            | m.AccountReinstated()
            | m.EntriesBarred()
            | m.ConductFlagged()
            | m.StopCompleted()
            | m.AgentLost()
            | m.InvariantBroken()
        ):
            return _of_safety(message)
        case m.BarClosed() | m.FeedStale() | m.FeedGapFound() | m.FeedRecovered():
            return _of_market(message)
        case _:
            return _of_input(message)


def facts(message: m.Message) -> dict[str, str]:
    """A message's own fields that are single values, by name, as people read them; what is empty is left out."""
    own = [each.name for each in msgspec.structs.fields(message) if each.name not in m.Message.__struct_fields__]
    told = {name: _fact(name, getattr(message, name)) for name in own}
    return {name: text for name, text in told.items() if text}


def _fact(name: str, value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return plain(value)
        case StopScope():
            return value.breaker
        case int() if name.endswith("_ns"):
            return utc(value)
        case str() | int():
            return str(value)
        case tuple():
            return ", ".join(each for each in value if isinstance(each, str))
        case _:
            return ""


def _of_gate(message: m.OrderDenied | m.GateApproval) -> str:
    if isinstance(message, m.OrderDenied):
        what = f"{message.gate} denies {message.account or 'everyone'} {message.side} {message.instrument}"
        return f"{what}: {message.reason} {_against(message)}"
    order = message.order
    return f"{message.source} passes {order.account} {order.side} {plain(order.quantity)} {order.instrument}"


def _against(
    message: m.OrderDenied | m.BreakerTransition | m.AccountSuspended | m.ConductFlagged | m.ConditionReported,
) -> str:
    return f"{plain(message.measured)} against {plain(message.limit)} {message.unit}"


def _of_safety(
    message: m.AccountSuspended
    | m.AccountReinstated
    | m.EntriesBarred
    | m.ConductFlagged
    | m.StopCompleted
    | m.AgentLost
    | m.InvariantBroken,
) -> str:
    match message:
        case m.AccountSuspended():
            return f"{message.account} suspended by {message.rule}: {_against(message)}"
        case m.AccountReinstated():
            by = f"by {message.person}: {message.reason}" if message.person else message.reason
            return f"{message.account} reinstated after {message.rule}, {by}"
        case m.EntriesBarred():
            since = utc(message.from_ns)
            return f"{message.account} may have no entry rest in {message.instrument}: {message.rule} from {since} on"
        case m.ConductFlagged():
            who = " and ".join(message.accounts)
            return f"surveillance flags {message.detector} of {who} in {message.instrument}: {_against(message)}"
        case m.AgentLost():
            return f"{message.agent} does not answer: what it would have to approve is denied"
        case m.StopCompleted():
            left = f", still open: {', '.join(message.positions_open)}" if message.positions_open else ""
            closed = f"{len(message.positions_closed)} positions closed{left}"
            return f"stop completed: {message.cancelled} orders cancelled, {message.filled} filled before, {closed}"
        case m.InvariantBroken():
            return f"invariant {message.invariant} broken: {message.detail}"


def _of_breaker(message: m.BreakerTransition) -> str:
    states: dict[type[m.Message], str] = {
        m.BreakerOpened: "open",
        m.BreakerReduced: "reducing",
        m.BreakerHalfOpened: "half open",
        m.BreakerClosed: "closed",
    }
    return f"{message.tier} breaker {message.scope} {states[type(message)]}: {message.trigger} {_against(message)}"


def _of_submission(message: m.OrderSubmitted | m.CancelSubmitted | m.ReplaceSubmitted) -> str:
    match message:
        case m.OrderSubmitted(order=order):
            return f"submits {order.account} {order.side} {plain(order.quantity)} {order.instrument} {order.type}"
        case m.CancelSubmitted():
            return f"asks to cancel {message.client_order_id[:12]}: {message.reason}"
        case m.ReplaceSubmitted():
            return f"asks to replace {message.client_order_id[:12]}: {plain(message.quantity)}"


def _of_venue(message: m.VenueEvent) -> str:
    match message:
        case m.OrderAccepted():
            at = "" if message.price is None else f" at {plain(message.price)}"
            return f"accepts {message.account} {message.side} {plain(message.quantity)} {message.instrument}{at}"
        case m.OrderFilled():
            what = f"fills {message.account} {message.side} {plain(message.quantity)} {message.instrument}"
            return f"{what} at {plain(message.price)} ({message.role})"
        case m.OrderTriggered():
            return f"triggers {message.account} {message.instrument} at {plain(message.trigger_price)}"
        case m.OrderReplaced():
            return f"replaces {message.account} {message.instrument}: {plain(message.quantity)} left"
        case m.OrderRejected():
            return f"rejects {message.account} {message.instrument}: {message.reason} {message.detail}".rstrip()
        case m.OrderCancelled():
            return f"cancels {message.account} {message.instrument}: {message.reason}"
        case m.OrderExpired():
            return f"expires {message.account} {message.instrument}"
        case m.OrderReconciled():
            return f"reconciles {message.account} {message.instrument}: {message.repair}, {message.detail}"
        case m.CancelRejected():
            return f"refuses to cancel {message.client_order_id[:12]}: {message.reason}"
        case _:
            return type(message).__name__


def _of_schedule(message: m.ScheduleStarted | m.SliceDue | m.ScheduleEnded) -> str:
    match message:
        case m.ScheduleStarted(order=order):
            slices = 0 if order.schedule is None else len(order.schedule.slices)
            return f"works {order.account} {order.side} {plain(order.quantity)} {order.instrument} in {slices} slices"
        case m.SliceDue():
            return f"slice {message.number} of {message.order_id[:12]} is due"
        case m.ScheduleEnded():
            cost = "" if message.shortfall_fraction is None else f", shortfall {plain(message.shortfall_fraction)}"
            what = f"{message.algorithm} of {message.account} {message.instrument} ends ({message.reason})"
            return f"{what}: {plain(message.filled)} filled{cost}"


def _of_risk(
    message: m.ExitRaised | m.RiskMeasured | m.MarginLevelChanged | m.CorrelationsMeasured | m.CopyTradingSeen,
) -> str:
    match message:
        case m.ExitRaised():
            closes = "" if message.quantity is None else f" {message.side} {plain(message.quantity)}"
            moves = "" if message.stop_price is None else f" stop to {plain(message.stop_price)}"
            return f"{message.account} {message.instrument} exit by {message.rule}:{closes}{moves}"
        case m.RiskMeasured():
            share = f"{plain(message.confidence)} {message.method} over a {message.timeframe} bar"
            amounts = (
                f"{plain(message.value_at_risk)}, shortfall {plain(message.expected_shortfall)} {message.currency}"
            )
            return f"{message.account} value at risk {share}: {amounts}"
        case m.MarginLevelChanged():
            return f"{message.account} margin level {message.level}: {plain(message.measured)}"
        case m.CorrelationsMeasured():
            bets = "flat" if message.effective_bets is None else f"{plain(message.effective_bets)} effective bets"
            return f"correlations of {len(message.symbols)} instruments over {message.returns} bars: {bets}"
        case m.CopyTradingSeen():
            return f"{' and '.join(message.accounts)} trade alike: {plain(message.measured)} of their entries"


def _of_analysis(message: m.WyckoffEventSeen | m.PhaseChanged | m.SignalRaised) -> str:
    where = f"{message.instrument} {message.timeframe}"
    match message:
        case m.WyckoffEventSeen():
            return f"{where} {message.event} at {plain(message.price)} ({message.rule})"
        case m.PhaseChanged():
            return f"{where} {message.direction} range: {message.phase_before} to {message.phase}"
        case m.SignalRaised():
            levels = f"stop {plain(message.stop_price)} target {plain(message.target_price)}"
            return f"{where} {message.setup} {message.side} at {plain(message.entry_price)} {levels}"


def _of_market(message: m.BarClosed | m.FeedStale | m.FeedGapFound | m.FeedRecovered) -> str:
    match message:
        case m.BarClosed(bar=bar):
            return f"{bar.instrument} {bar.timeframe} bar closes at {plain(bar.close)}"
        case m.FeedStale():
            return f"{message.instrument} feed is stale since {utc(message.last_ns)}"
        case m.FeedGapFound():
            return f"{message.instrument} feed had a gap from {utc(message.from_ns)} to {utc(message.to_ns)}"
        case m.FeedRecovered():
            return f"{message.instrument} feed flows again"


def _of_outcome(message: m.PositionClosed | m.StatisticsUpdated | m.ParameterProposed) -> str:
    match message:
        case m.PositionClosed():
            net = message.realised - message.fees
            sign = "+" if net > ZERO else ""
            result = f"{sign}{plain(net)} {message.currency} after fees ({message.closing_role})"
            return f"{message.account} {message.instrument} {message.setup} closed: {result}"
        case m.StatisticsUpdated():
            return (
                f"{message.setup} on {message.instrument}: {message.trades} trips, {plain(message.expectancy_r)} R each"
            )
        case m.ParameterProposed():
            change = f"{plain(message.value_before)} to {plain(message.value)}"
            return f"{message.agent} might set {message.parameter} from {change} ({message.trades} trips)"


def _of_input(message: m.Message) -> str:
    match message:
        case m.SessionStarted():
            return f"{message.mode} starts{' on simulated data' if message.simulated else ''}, seed {message.seed}"
        case m.AccountOpened(account=account):
            return f"{account.account_id} opens with {plain(account.deposit)} {account.currency}"
        case m.OrderProposed():
            wish = f"{message.account} {message.side} {plain(message.quantity)} {message.instrument}"
            return f"{message.person} wants {wish}"
        case m.StopTrading():
            scope = message.scope.name or "everything"
            return f"{message.person} stops {scope} ({message.level}): {message.reason}"
        case m.ResumeTrading():
            return f"{message.person} resumes {message.scope.name or 'everything'}: {message.reason}"
        case m.ReinstateAccount():
            return f"{message.person} reinstates {message.account}: {message.reason}"
        case m.AgentReturned():
            return f"{message.agent} answers again"
        case m.ConditionReported():
            state = "holds" if message.holds else "does not hold"
            return f"{message.condition} of {message.scope} {state}: {_against(message)}"
        case m.CancelOrder():
            return f"{message.person} cancels {message.client_order_id[:12]}"
        case m.ReplaceOrder():
            return f"{message.person} replaces {message.client_order_id[:12]} with {plain(message.quantity)}"
        case _:
            return type(message).__name__
