# ruff: noqa: F403, F405, RUF022
"""MCP's types of every revision from 2024-11-05 to 2026-07-28, as frozen values in Python's names.

One class per concept, whatever the revision: what a revision lacks is None. `runtime.protocol.wire` maps them to
the wire by one rule: the wire name is the camel-cased Python name (``meta`` is ``_meta``, and a field may note
another); an optional that is None is left out; what the peer sent beyond the known fields is in ``extra`` and travels
on. Mappings are the peer's JSON as it is (schemas, ``_meta``): relayed, never interpreted here. A word out of a
closed set is checked where its reader must act on it (a role, an action, a level); hints stay strings.

A class costs a quarter of a millisecond to make, so each feature's module is loaded when the first of its names is
used, and modules name each other's classes in annotations only, which `wire` reads when a value needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .capabilities import *
    from .completion import *
    from .content import *
    from .elicitation import *
    from .icons import *
    from .lifecycle import *
    from .logging import *
    from .meta import *
    from .notifications import *
    from .part import *
    from .prompts import *
    from .resources import *
    from .roots import *
    from .rounds import *
    from .sampling import *
    from .subscriptions import *
    from .tasks import *
    from .tools import *

_ROOMS = {
    "capabilities": "ClientCapabilities ListsCapability ServerCapabilities",
    "completion": (
        "CompleteParams CompleteResult Completion CompletionArgument CompletionContext CompletionReference "
        "PromptReference ResourceTemplateReference"
    ),
    "content": (
        "Annotations AudioContent ContentBlock EmbeddedResource ImageContent ResourceContents ResourceLink TextContent "
        "UnknownContent"
    ),
    "elicitation": (
        "BooleanSchema Choice Choices ElicitFormParams ElicitParams ElicitResult ElicitUrlParams ElicitationComplete "
        "FieldSchema FormSchema MultiSelectSchema NumberSchema StringSchema UnknownSchema"
    ),
    "icons": "Icon",
    "lifecycle": "DiscoverResult Implementation InitializeParams InitializeResult",
    "logging": "LoggingLevel LoggingMessage SetLevelParams",
    "meta": "NotificationMeta RequestMeta ResultMeta",
    "notifications": "Cancelled Progress",
    "part": "CacheableResult Json Page PageParams Params Part Result Retryable",
    "prompts": "GetPromptParams GetPromptResult ListPromptsResult Prompt PromptArgument PromptMessage Role",
    "resources": (
        "ListResourceTemplatesResult ListResourcesResult ReadResourceParams ReadResourceResult Resource ResourceParams "
        "ResourceTemplate"
    ),
    "roots": "ListRootsResult Root",
    "rounds": (
        "CreateMessageRequest ElicitRequest AnyInputRequest InputRequiredResult ListRootsRequest UnknownInputRequest"
    ),
    "sampling": (
        "CreateMessageParams CreateMessageResult ModelHint ModelPreferences SamplingContent SamplingMessage ToolChoice "
        "ToolResultContent ToolUseContent"
    ),
    "subscriptions": "SubscriptionsAcknowledged ListenParams SubscriptionFilter",
    "tasks": (
        "CreateTaskResult DetailedTask ListTasksResult RelatedTask Task TaskMetadata TaskParams TaskStatus "
        "UpdateTaskParams"
    ),
    "tools": "CallToolParams CallToolResult ListToolsResult Tool ToolAnnotations ToolExecution",
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names.split()}
__all__ = [  # a type checker reads no list that is computed
    "ClientCapabilities", "ListsCapability", "ServerCapabilities",
    "CompleteParams", "CompleteResult", "Completion", "CompletionArgument", "CompletionContext",
    "CompletionReference", "PromptReference", "ResourceTemplateReference",
    "Annotations", "AudioContent", "ContentBlock", "EmbeddedResource", "ImageContent", "ResourceContents",
    "ResourceLink", "TextContent", "UnknownContent",
    "BooleanSchema", "Choice", "Choices", "ElicitFormParams", "ElicitParams", "ElicitResult", "ElicitUrlParams",
    "ElicitationComplete", "FieldSchema", "FormSchema", "MultiSelectSchema", "NumberSchema", "StringSchema",
    "UnknownSchema",
    "Icon",
    "DiscoverResult", "Implementation", "InitializeParams", "InitializeResult", "NotificationMeta", "RequestMeta",
    "ResultMeta",
    "LoggingLevel", "LoggingMessage", "SetLevelParams",
    "Cancelled", "Progress",
    "CacheableResult", "Json", "Page", "PageParams", "Params", "Part", "Result", "Retryable",
    "GetPromptParams", "GetPromptResult", "ListPromptsResult", "Prompt", "PromptArgument", "PromptMessage", "Role",
    "ListResourceTemplatesResult", "ListResourcesResult", "ReadResourceParams", "ReadResourceResult", "Resource",
    "ResourceParams", "ResourceTemplate",
    "ListRootsResult", "Root",
    "CreateMessageRequest", "ElicitRequest", "AnyInputRequest", "InputRequiredResult", "ListRootsRequest",
    "UnknownInputRequest",
    "CreateMessageParams", "CreateMessageResult", "ModelHint", "ModelPreferences", "SamplingContent",
    "SamplingMessage", "ToolChoice", "ToolResultContent", "ToolUseContent",
    "SubscriptionsAcknowledged", "ListenParams", "SubscriptionFilter",
    "CreateTaskResult", "DetailedTask", "ListTasksResult", "RelatedTask", "Task", "TaskMetadata", "TaskParams",
    "TaskStatus", "UpdateTaskParams",
    "CallToolParams", "CallToolResult", "ListToolsResult", "Tool", "ToolAnnotations", "ToolExecution",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if (room := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{room}"), name)
    return value
