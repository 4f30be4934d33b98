#!/bin/sh
# Makes the folder secrets/ beside this file with random passwords: for the broker, for the store, for the workers.
# Refuses when the folder is there. The folder is for its owner only; its files are readable, because the containers
# that mount them run as other users.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$here/secrets
umask 077
mkdir "$folder" || { echo "secrets/ is there already; remove it for new secrets (the broker's data keeps the old ones)" >&2; exit 1; }

random() {  # letters and digits only: they stand in a URL
  LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | head -c "$1"
}

broker_password=$(random 32)
store_access_key=$(random 20)
store_secret_key=$(random 40)

printf 'default_user = extractor\ndefault_pass = %s\n' "$broker_password" > "$folder/broker-user.conf"
printf '%s' "$store_access_key" > "$folder/store-access-key"
printf '%s' "$store_secret_key" > "$folder/store-secret-key"
printf 'EXTRACTOR_QUEUE=amqp://extractor:%s@broker:5672/%%2F?queue=extractor\nAWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n' \
  "$broker_password" "$store_access_key" "$store_secret_key" > "$folder/worker.env"
chmod 0444 "$folder/broker-user.conf" "$folder/store-access-key" "$folder/store-secret-key"
