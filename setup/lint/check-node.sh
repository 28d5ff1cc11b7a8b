#!/bin/sh
# Says which Debian package the node hooks lack, before pre-commit fails without a name.
for pair in node:nodejs npm:npm; do
    if ! command -v "${pair%:*}" >/dev/null 2>&1; then
        echo "lint: ${pair%:*} is missing: install Debian's package ${pair#*:}." >&2
        exit 1
    fi
done
# ESLint 9 needs 18.18; Debian 12 has 18.20.
if ! node -e 'const [a, b] = process.versions.node.split(".");
    process.exit(a > 18 || (a == 18 && b >= 18) ? 0 : 1)'; then
    echo "lint: node $(node --version) is too old: 18.18 or newer is needed." >&2
    exit 1
fi
