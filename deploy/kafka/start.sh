#!/bin/sh
# Formats the store on the first start, with the administrator as the first user, and becomes the broker.
set -eu
password=$(cat /run/secrets/kafka_admin)
umask 077
{
  cat /etc/hub/server.properties
  echo "listener.name.internal.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"admin\" password=\"$password\";"
} >/tmp/server.properties
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id "$CLUSTER_ID" --config /tmp/server.properties \
  --add-scram "SCRAM-SHA-512=[name=admin,password=$password]"
exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties
