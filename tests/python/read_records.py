"""Reads monitoring records with the readers of the public `datarobot-mlops` package and prints them as JSON lines.

    read_records.py filesystem FOLDER COUNT     reads (and, as that reader does, consumes) a spool folder
    read_records.py kafka BROKERS TOPIC COUNT   reads a topic from its beginning
    read_records.py rabbitmq URL QUEUE COUNT    reads a queue, which keeps what it held

Stops when COUNT records were read, or fails when the reader stays empty-handed too long. Each line holds what the
reader made of one record: deployment id, data type, payload.
"""

import json
import os
import sys
import time
import uuid

PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.05


def reader(kind, arguments):
    """The package takes its settings from the environment, so they are set before it is imported."""
    os.environ["MLOPS_DEPLOYMENT_ID"] = "unused"
    if kind == "filesystem":
        (folder,) = arguments
        os.environ["MLOPS_SPOOLER_TYPE"] = "FILESYSTEM"
        os.environ["MLOPS_FILESYSTEM_DIRECTORY"] = folder
        from datarobot_mlops.spooler.filesystem_spooler import FSRecordSpooler as Spooler
    elif kind == "kafka":
        brokers, topic = arguments
        os.environ["MLOPS_SPOOLER_TYPE"] = "KAFKA"
        os.environ["MLOPS_KAFKA_BOOTSTRAP_SERVERS"] = brokers
        os.environ["MLOPS_KAFKA_TOPIC_NAME"] = topic
        os.environ["MLOPS_KAFKA_CONSUMER_GROUP_ID"] = f"story-{uuid.uuid4()}"
        from datarobot_mlops.spooler.kafka_spooler import KafkaRecordSpooler as Spooler
    elif kind == "rabbitmq":
        url, queue = arguments
        os.environ["MLOPS_SPOOLER_TYPE"] = "RABBITMQ"
        os.environ["MLOPS_RABBITMQ_QUEUE_URL"] = url
        os.environ["MLOPS_RABBITMQ_QUEUE_NAME"] = queue
        from datarobot_mlops.spooler.rabbitmq_spooler import RabbitMQRecordSpooler as Spooler
    else:
        sys.exit(f"unknown kind of channel: {kind}")
    from datarobot_mlops.common.enums import MLOpsSpoolAction

    spooler = Spooler()
    spooler.set_config()
    spooler.open(action=MLOpsSpoolAction.DEQUEUE)
    return spooler


def shown(record):
    payload = record.get_payload()
    return {
        "deploymentId": record.get_deployment_id(),
        "dataType": getattr(record.get_data_type(), "name", str(record.get_data_type())),
        "payload": json.loads(payload) if isinstance(payload, (str, bytes)) else payload,
    }


def main():
    kind, *arguments, count = sys.argv[1:]
    count = int(count)
    spooler = reader(kind, arguments)
    read = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while read < count:
        records = spooler.dequeue() or []
        for record in records:
            print(json.dumps(shown(record)), flush=True)
        read += len(records)
        if time.monotonic() > deadline:
            sys.exit(f"the reader found {read} of {count} records in {PATIENCE_SECONDS} s")
        if not records:
            time.sleep(PAUSE_SECONDS)
    spooler.close()


main()
