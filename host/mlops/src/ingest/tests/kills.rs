//! A process that is killed at any moment loses no record that it answered, and counts none twice.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::*;

const ADDRESS: &str = "OUTPOST_TEST_WRITER";
const ROUNDS: u64 = 20;
/// Records in each call of the child.
const RECORDS: u64 = 5;

fn records(call: u64) -> Vec<String> {
    let row = |number: u64| {
        let id = number.to_string();
        row(&id, &id, (number % 10) as f64, (number % 50) as i64)
    };
    (call * RECORDS..(call + 1) * RECORDS).map(row).collect()
}

fn outcomes(call: u64) -> Vec<String> {
    (call * RECORDS..(call + 1) * RECORDS)
        .map(|number| actual("o", &number.to_string(), 5.0, "2026-11-25T00:00:00Z"))
        .collect()
}

/// The child: takes calls from the first on, and says each one that was answered. Alone it does nothing.
#[tokio::test]
async fn the_writer_that_is_killed() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let store = Store::open(&address).await.unwrap();
    let ingest = Ingest::start(store, small()).await.unwrap();
    let plan = Arc::new(regression());
    for call in 0.. {
        let (rows, actuals) = (data(&records(call)), data(&outcomes(call)));
        let (rows, actuals) =
            tokio::join!(ingest.prediction_inputs(&plan, rows), ingest.actuals(&plan, actuals));
        assert_eq!(rows.unwrap().refused.len() + actuals.unwrap().refused.len(), 0);
        println!("answered {call}");
    }
}

fn round(address: &str, until: u64) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child =
        child.args(["--exact", "ingest::tests::kills::the_writer_that_is_killed", "--nocapture"]);
    let mut child = child.env(ADDRESS, address).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let wanted = format!("answered {until}");
    let reached = lines.map_while(Result::ok).any(|line| line.ends_with(&wanted));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(reached, "the writer answers");
}

async fn check(database: Database) {
    let address = database.address().to_owned();
    let mut world = World::new(database).await;
    for killed in 1..=ROUNDS {
        world.ingest.close().await;
        world.store.pool().close().await;
        let until = killed * 3;
        let address = address.clone();
        let task = tokio::task::spawn_blocking(move || round(&address, until));
        task.await.unwrap();
        // The server notices that its client is gone, and lets go of the lock.
        let patience = std::time::Instant::now() + Duration::from_secs(30);
        (world.store, world.ingest) = loop {
            let store = Store::open(world.database.address()).await.unwrap();
            match Ingest::start(store.clone(), world.settings).await {
                Ok(ingest) => break (store, ingest),
                Err(StartError::Taken) => assert!(std::time::Instant::now() < patience),
                Err(error) => panic!("{error}"),
            }
        };
        // All that was answered is there, and the sums are of whole records.
        let total = world.total().await;
        assert!(total.rows >= (until + 1) * RECORDS, "{} rows", total.rows);
        assert_eq!(total.features[0].0.iter().sum::<u64>(), total.rows);
        assert_eq!(total.rows % RECORDS, 0);
        // Calls up to here are repeats; were one forgotten or half taken, the rows would be more.
        let calls = total.rows / RECORDS;
        for call in 0..calls {
            let answer = world.inputs(&records(call)).await;
            assert_eq!(taken(&answer), (0, RECORDS as usize, 0), "call {call}");
            world.actuals(&outcomes(call)).await;
        }
        let total = world.total().await;
        assert_eq!((total.rows, total.usage.rows), (calls * RECORDS, calls * RECORDS));
        assert_eq!(total.accuracy.rows(), total.rows);
    }
}

#[tokio::test]
async fn sqlite_loses_nothing() {
    check(Database::sqlite()).await;
}

#[tokio::test]
async fn postgres_loses_nothing() {
    if let Some(database) = Database::postgres() {
        check(database).await;
    }
}

on_both!(a_call_that_the_database_did_not_take_is_not_half_there, async |world: World| {
    world.inputs(&[row("a", "1", 1.0, 0)]).await;
    let rename = async |from: &str, to: &str| {
        let statement = format!("ALTER TABLE {from} RENAME TO {to}");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(world.store.pool()).await.unwrap();
    };
    rename("blocks", "hidden").await;
    let entries = [row("b", "2", 1.0, 0), row("c", "3", 1.0, 1)];
    let failed = world.ingest.prediction_inputs(&world.plan, data(&entries)).await;
    assert!(matches!(failed, Err(IngestError::Unavailable)), "{failed:?}");
    assert_eq!(world.total().await.rows, 1);
    rename("hidden", "blocks").await;
    assert_eq!(taken(&world.inputs(&entries).await), (2, 0, 0));
    assert_eq!(taken(&world.inputs(&entries).await), (0, 2, 0));
    assert_eq!((world.total().await.rows, world.rollups().await.len()), (3, 2));
    // A server whose database is gone still ends.
    rename("blocks", "hidden").await;
    let failed = world.ingest.prediction_inputs(&world.plan, data(&[row("d", "4", 1.0, 0)])).await;
    assert!(matches!(failed, Err(IngestError::Unavailable)));
    world.ingest.close().await;
});

on_both!(one_call_that_is_never_taken_holds_up_no_other, async |world: World| {
    // A trigger stands for whatever a database may not like.
    let [forbid, raise] = match world.store.kind() {
        crate::store::Kind::Sqlite => [
            "CREATE TRIGGER no BEFORE INSERT ON batches BEGIN SELECT RAISE(ABORT, 'no'); END",
            "SELECT 1",
        ],
        crate::store::Kind::Postgres => [
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'",
            "CREATE TRIGGER no BEFORE INSERT ON batches FOR EACH ROW EXECUTE FUNCTION no()",
        ],
    };
    for statement in [forbid, raise] {
        sqlx::query(statement).execute(world.store.pool()).await.unwrap();
    }
    let bad = row("bad", "1", 1.0, 0).replacen('{', "{\"batchId\":\"b\",", 1);
    let good: Vec<String> = (0..8).map(|at| row(&at.to_string(), "2", 1.0, 0)).collect();
    let call = |entry: &String| {
        let (ingest, plan, body) =
            (world.ingest.clone(), Arc::clone(&world.plan), data(std::slice::from_ref(entry)));
        tokio::spawn(async move { ingest.prediction_inputs(&plan, body).await })
    };
    // So many at once that some of them wait for the same transaction.
    let calls: Vec<_> = good[..4].iter().chain([&bad]).chain(&good[4..]).map(call).collect();
    let mut failed = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(answer) => assert_eq!(taken(&answer), (1, 0, 0)),
            Err(IngestError::Unavailable) => failed += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((failed, world.total().await.rows), (1, 8));
});

on_both!(what_a_database_cannot_hold_is_taken_or_refused, async |world: World| {
    let odd = "{\"recordId\":\"r\\u0000\",\"gateway\":\"g\\u0000\",\"batchId\":\"b\\u0000\",\"modelId\":\"m\\u0000\",\"predictions\":[1]}";
    let refused = "{\"recordId\":\"s\\u0000\",\"features\":{\"f\\u0000\":7}}";
    assert_eq!(taken(&world.inputs(&[odd.to_owned(), refused.to_owned()]).await), (1, 0, 1));
    let metric = Bytes::from_static(b"{\"modelId\":\"m\\u0000\",\"buckets\":[{\"value\":1}]}");
    assert_eq!(world.ingest.custom_metrics(&world.plan, "c\0", metric).await.unwrap().accepted, 1);
    let most = crate::ingest::work::MOST_ROWS;
    let request = |number: u64| format!("{{\"modelId\":\"m\",\"numPredictions\":{number}}}");
    assert_eq!(
        taken(&world.requests(&[request(most), request(most + 1), request(u64::MAX)]).await),
        (1, 0, 2)
    );
    let sum = |number: u64| {
        format!("{{\"modelId\":\"m\",\"predictions\":{{\"count\":{number},\"sum\":1}}}}")
    };
    assert_eq!(taken(&world.stats(&[sum(most), sum(most + 1)]).await), (1, 0, 1));
    let total = world.total().await;
    assert_eq!((total.health.predictions, total.rows), (most, most + 1));
});
