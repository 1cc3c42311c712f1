"""The same messages through the official SDK's models, for scale. A program: it runs where the SDK is installed.

It reads a call and a result, each on a line, then for each line with a number prints microseconds of CPU for one round
of that many: both decoded, validated, dumped and encoded as the SDK's stdio transport and session do it.
"""

import gc
import sys
import time

from mcp_types import CallToolRequestParams, CallToolResult, JSONRPCMessage, JSONRPCRequest, JSONRPCResponse
from pydantic import TypeAdapter

_read = TypeAdapter(JSONRPCMessage).validate_json


def call(line: str) -> str:
    message = _read(line, by_name=False)
    params = CallToolRequestParams.model_validate(message.params, by_name=False)
    body = params.model_dump(by_alias=True, mode="json", exclude_none=True)
    out = JSONRPCRequest(jsonrpc="2.0", id=message.id, method=message.method, params=body)
    return out.model_dump_json(by_alias=True, exclude_unset=True)


def result(line: str) -> str:
    message = _read(line, by_name=False)
    answer = CallToolResult.model_validate(message.result, by_name=False)
    body = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
    out = JSONRPCResponse(jsonrpc="2.0", id=message.id, result=body)
    return out.model_dump_json(by_alias=True, exclude_unset=True)


def main() -> None:
    asked, answered = sys.stdin.readline(), sys.stdin.readline()
    gc.disable()
    for number in sys.stdin:
        count, costs = int(number), []
        for _ in range(3):
            started = time.process_time()
            for _ in range(count):
                call(asked)
                result(answered)
            costs.append((time.process_time() - started) / count * 1e6)
        print(min(costs), flush=True)
        gc.collect()


if __name__ == "__main__":
    main()
