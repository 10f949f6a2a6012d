"""The peer of the gateway: FastAPI on uvicorn, an order of eight validated fields in, a small answer out, nothing else.

`python fastapi_orders.py PORT` serves until it is told to end.
"""

# mypy: disable-error-code="import-not-found, misc, untyped-decorator"
# FastAPI is installed in the peer's own environment alone.

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Annotated, Literal

import fastapi
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

Price = Annotated[Decimal, Field(gt=0)]


class Order(BaseModel):
    symbol: Annotated[str, Field(min_length=1, max_length=32)]
    side: Literal["buy", "sell"]
    type: Literal["market", "limit", "stop", "stop_limit"]
    time_in_force: Literal["gtc", "gtd", "ioc", "fok"]
    quantity: Price
    price: Price
    stop_loss_price: Price
    client_order_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


class Placed(BaseModel):
    order_id: str
    status: str


app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok", "version": f"FastAPI {fastapi.__version__}, uvicorn {uvicorn.__version__}"}


@app.post("/api/v1/orders")
async def place(order: Order) -> Placed:
    return Placed(order_id=order.client_order_id, status="submitted")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
