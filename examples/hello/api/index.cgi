#!/bin/sh
# Greets and counts; the count is in a volume and outlives the container.
count=$(cat /data/visits 2>/dev/null || echo 0)
count=$(expr "$count" + 1)
echo "visit $count" >&2 # the container's log
echo "$count" >/data/visits.new && mv /data/visits.new /data/visits
printf 'Content-Type: text/plain\r\n\r\n%s (visit %s)\n' "$GREETING" "$count"
