#!/bin/sh
# Make what docker-compose.yaml keeps secret, a file each in the folder SECRETS (default ./secrets):
# random, each its own, and never over one that is there; or as the environment says it (under the
# names that older versions kept in .env). What only you can know is named at the end. Safe to run
# again.
#
#   sh include/compose/secrets.sh
#
# The folder is yours alone (0700); the files may be read by all, which are the containers' users, as
# they are mounted one by one. Keep a copy of it apart from the machine.
set -eu
umask 077
folder=${SECRETS:-./secrets}
mkdir -p "$folder"
chmod 700 "$folder"

# So many random bytes in letters and digits, as passwords become parts of addresses.
random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

keep() {
    [ ! -s "$folder/$1" ] || return 0
    printf %s "$2" > "$folder/$1.new"
    chmod 444 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
    echo "made $folder/$1"
}

# Airflow's database, the warehouse's server, its owner, the link service's login, the queue. The
# first four are read when a volume is made: to change one later, ALTER ROLE as well.
keep postgres_password "${POSTGRES_PASSWORD:-$(random 24)}"
keep warehouse_superuser "$(random 24)"
keep warehouse_password "${WAREHOUSE_PASSWORD:-$(random 24)}"
keep web_password "${WEB_PASSWORD:-$(random 24)}"
keep redis_password "${REDIS_PASSWORD:-$(random 24)}"
# Encrypts connections and variables in Airflow's database: losing it loses them.
fernet_key=$(head -c 32 /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_')
keep fernet_key "${AIRFLOW_FERNET_KEY:-$fernet_key}"
# Sign the UI's sessions, and the tokens of users and tasks.
keep api_secret_key "${AIRFLOW_API_SECRET_KEY:-$(random 32)}"
keep jwt_secret "${AIRFLOW_JWT_SECRET:-$(random 32)}"
# Of the user `admin` in Airflow.
keep admin_password "${AIRFLOW_ADMIN_PASSWORD:-$(random 12)}"
# The key of the hashes that stand for phone numbers, under which every stop is kept.
keep phones "${REENGAGE_SECRET_PHONES:-$(random 32)}"
# The former ones, a line each, while something rests on them (docs/keys.md); empty where none was.
[ -e "$folder/phones_old" ] || { : > "$folder/phones_old"; chmod 444 "$folder/phones_old"; }
# The key of what stands for visitors' addresses, and for webhooks that may come again.
keep web "${REENGAGE_SECRET_WEB:-$(random 32)}"
# With which Prometheus reads the link service's /metrics.
keep metrics_token "${REENGAGE_METRICS_TOKEN:-$(random 32)}"

# The SMS provider, as an Airflow connection on one line, from the provider's console:
#   {"conn_type": "infobip", "host": "ACCOUNT.api.infobip.com", "password": "API KEY"}
[ -z "${AIRFLOW_CONN_REENGAGE_SMS:-}" ] || keep sms "$AIRFLOW_CONN_REENGAGE_SMS"
# What its webhooks are known by: the same, or for Infobip one without the API key:
#   {"conn_type": "infobip", "host": "ACCOUNT.api.infobip.com", "extra": {"webhook_secret": "…"}}
# In the provider's console: https://YOUR LINK DOMAIN/webhooks/infobip (or /webhooks/twilio).
[ -z "${REENGAGE_WEBHOOK_SMS:-}" ] || keep webhook_sms "$REENGAGE_WEBHOOK_SMS"

for name in sms webhook_sms; do
    [ -s "$folder/$name" ] || echo "yours to write: $folder/$name (how: include/compose/secrets.sh), then chmod 444"
done
