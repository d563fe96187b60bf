#!/usr/bin/env bash
# Apache Kafka: the broker's jars in target/parts/kafka. The harness (tests/src/kafka.rs) formats and starts it.
. "$(dirname "$0")/lib.sh"
pom=$root/tests/setup/kafka/pom.xml
libs=$parts/kafka
stamp=$libs/.ready

if ready "$stamp" "$pom"; then
    say "the broker's jars are there"
    exit 0
fi
for program in java mvn; do
    command -v $program > /dev/null || skip 'Apache Kafka' "$program is missing" 'install Java 17 and Maven'
done
rm -rf "$libs"
mvn -Dstyle.color=never --batch-mode --no-transfer-progress --quiet --file "$pom" \
    dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs"
done_with "$stamp" "$pom"
say "$(ls "$libs" | wc -l) jars"
