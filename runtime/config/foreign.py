"""Keys that other MCP clients write into the same files, and what we say about them.

They are those of VS Code, Claude Desktop, Claude Code, Cursor, Cline, Roo Code, Windsurf, Gemini CLI and Kiro. An
empty text: nothing worth saying."""

IGNORED = "a key of another program; ignored"
APPROVAL = "another program's approvals; ignored, nothing here asks before a call"
FILTER = 'another program\'s tool filter; ignored, use "allow" and "deny"'
OAUTH = "sign-in of another program; ignored"

# A server is not started where one of these has this value.
SWITCHES = {"disabled": True, "enabled": False}

SERVER: dict[str, str] = {
    "disabled": "",
    "enabled": "",
    "alwaysAllow": APPROVAL,
    "autoApprove": APPROVAL,
    "trust": APPROVAL,
    "tools": FILTER,
    "disabledTools": FILTER,
    "enabledTools": FILTER,
    "includeTools": FILTER,
    "excludeTools": FILTER,
    "oauth": OAUTH,
    "auth": OAUTH,
    "authProviderType": OAUTH,
    "oauthScopes": OAUTH,
    "dev": IGNORED,
    "sandbox": IGNORED,
    "sandboxEnabled": IGNORED,
    "gallery": IGNORED,
    "version": IGNORED,
    "name": IGNORED,
    "displayName": IGNORED,
    "description": IGNORED,
    "icon": IGNORED,
    "iconPath": IGNORED,
    "transportType": IGNORED,
    "watchPaths": IGNORED,
    "networkTimeout": IGNORED,
}

TOP: dict[str, str] = {
    "$schema": "",
    "globalShortcut": IGNORED,
    "preferences": IGNORED,
    "scale": IGNORED,
    "sandbox": IGNORED,
    "isUsingBuiltInNodeForMcp": IGNORED,
    "isDxtAutoUpdatesEnabled": IGNORED,
}

# Other words for our keys, too far from them for a comparison of letters to see.
MEANT: dict[str, str] = {
    "arguments": "args",
    "cmd": "command",
    "entrypoint": "command",
    "environment": "env",
    "dotenv": "envFile",
    "endpoint": "url",
    "httpUrl": "url",
    "serverUrl": "url",
    "uri": "url",
    "module": "python",
    "transport": "type",
    "workingDirectory": "cwd",
    "working_directory": "cwd",
    "workdir": "cwd",
    "context_servers": "mcpServers",
}
