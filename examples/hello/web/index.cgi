#!/bin/sh
# Answers with what the api said, and with this container's own name.
echo "asked by $REMOTE_ADDR" >&2 # the container's log
answer=$(wget -q -O - "$API/cgi-bin/index.cgi") || answer="api did not answer"
printf 'Content-Type: text/plain\r\n\r\n%s\nserved by %s\n' "$answer" "$(hostname)"
