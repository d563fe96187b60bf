#!/usr/bin/env bash
# make demo: from nothing to the whole loop in one process, with a day of traffic to look at. Needs Rust, a C compiler, make,
# perl and git, nothing else. PORT and MLOPS_PORT choose the ports; with ONCE=1 it stops after the first answer; OUTPOST names a
# binary that is built already.
. "$(dirname "$0")/lib.sh"
cd "$root"
port=${PORT:-9091}
mlops_port=${MLOPS_PORT:-8080}
outpost=${OUTPOST:-target/release/outpost}
state=target/demo
package=$state/diabetes.wasm
row='age=30&sex=1&bmi=23&bp=100&s1=157&s2=70&s3=40&s4=4&s5=3&s6=88&associationId=row-1'

headline() { printf '\n== %s\n' "$*"; }

# run COMMAND...: shows the command as a user would type it, then runs it.
run() {
    printf '$ %s\n' "$*"
    "$@"
}

# answer METHOD PATH [BODY]: one request by bash alone, for curl may be missing. Prints status line, headers, body.
answer() {
    local body=${3:-} type=
    [ -z "$body" ] || type=$'Content-Type: application/x-www-form-urlencoded\r\n'
    exec 3<> "/dev/tcp/127.0.0.1/$port" || return 1
    printf '%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s' \
        "$1" "$2" "${#body}" "$type" "$body" >&3
    cat <&3
    exec 3>&-
}

for program in cc make perl git; do
    command -v $program > /dev/null || {
        echo "!! $program is missing: install a C compiler, make, perl and git, then run make demo again." >&2
        exit 1
    }
done
free() {
    if (exec 3<> "/dev/tcp/127.0.0.1/$2") 2> /dev/null; then
        echo "!! Port $2 is taken. Stop what listens there, or choose another: make demo $1=9191" >&2
        exit 1
    fi
}
free PORT "$port"
free MLOPS_PORT "$mlops_port"

if [ -z "${OUTPOST:-}" ]; then
    headline 'Build (the first time takes several minutes: a WebAssembly compiler and a Kafka client are in it)'
    tests/setup/rust.sh
    run cargo build --release -p outpost
fi

headline 'Train a ridge regression on 442 patients and seal it into a model package'
mkdir -p "$state"
run $outpost train models/diabetes/diabetes.csv --target Y --model ridge -o $package
headline 'What the package says about itself'
run $outpost inspect $package

headline "Serve it on port $port and watch it on port $mlops_port: gateway, monitoring agent and MLOps server in one process"
data=$state/data
rm -rf "$data"
up=($outpost up --model $package --data $data --listen "127.0.0.1:$port" --mlops-listen "127.0.0.1:$mlops_port"
    --simulate models/diabetes/diabetes.csv)
printf '$ %s\n' "${up[*]}"
"${up[@]}" &
gateway=$!
# Ctrl-C and a kill both end in an orderly drain of the gateway.
trap 'kill -TERM $gateway 2> /dev/null' INT TERM EXIT

patience=600
until (answer GET /readyz | head -1 | grep -q ' 200 ') 2> /dev/null; do
    kill -0 $gateway 2> /dev/null || { echo '!! The gateway stopped; its last lines are above.' >&2; exit 1; }
    ((patience-- > 0)) || { echo '!! The gateway is not ready after a minute; its lines are above.' >&2; exit 1; }
    sleep 0.1
done

look=(--server "http://127.0.0.1:$mlops_port" --token-file $data/mlops/read.token)
headline 'The day before now, made up of the same patients'
run $outpost mlops status diabetes "${look[@]}"
run $outpost mlops drift diabetes "${look[@]}"

headline 'Ask it'
printf '$ curl "http://localhost:%d/predict" -XGET -d "%s"\n' "$port" "$row"
reply=$(answer GET /predict "$row")
printf '%s\n' "${reply##*$'\r\n\r\n'}"
case $reply in 'HTTP/1.1 200 '*) ;; *) exit 1 ;; esac
if [ -n "${ONCE:-}" ]; then
    kill -TERM $gateway
else
    cat << HINTS

== Try next, from another terminal
   the same by POST and JSON
     curl http://localhost:$port/predict -H 'Content-Type: application/json' \\
       -d '{"age":30,"sex":1,"bmi":23,"bp":100,"s1":157,"s2":70,"s3":40,"s4":4,"s5":3,"s6":88}'
   tell what came of the first one       curl http://localhost:$port/actuals -d "associationId=row-1&actualValue=151"
   predictions beside their outcomes     $outpost mlops accuracy diabetes ${look[*]}
   what went into the records            tail -n 1 $data/spool/fs_spool.1
   health and numbers                    curl http://localhost:$port/readyz http://localhost:$port/metrics
   a model of your own                   $outpost train your.csv --target COLUMN --model auto -o yours.wasm
   records to Kafka                      $outpost serve --model $package --spooler kafka \\
                                           --kafka-brokers localhost:9092 --kafka-topic mlops
   Ctrl-C stops the gateway in good order.
HINTS
fi
# A signal ends the first wait; the second takes the gateway's own verdict.
wait $gateway || true
trap - INT TERM EXIT
kill -TERM $gateway 2> /dev/null || true
wait $gateway
