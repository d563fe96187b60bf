//! What is too old goes; a copy can be made at any time.

use super::*;

const DAY_US: i64 = 24 * crate::rollup::HOUR_US;

on_both!(what_is_too_old_is_deleted, async |mut world: World| {
    let keep = Retention { statistics_days: 10, pending_days: 40_000 };
    world
        .inputs(&[row("a", "1", 1.0, 0), row("b", "2", 1.0, 24), row("c", "3", 1.0, 24 * 40)])
        .await;
    world.fold().await;
    let first: jiff::Timestamp = at(0).parse().unwrap();
    // Nothing is older than ten days yet.
    let kept = first.as_microsecond() + 10 * DAY_US - crate::rollup::HOUR_US;
    world.ingest.retain(kept, keep).await.unwrap();
    let hours = |rollups: Vec<Hour>| rollups.iter().filter(|one| one.2.rows > 0).count();
    assert_eq!(hours(world.rollups().await), 3);
    world.ingest.retain(first.as_microsecond() + 11 * DAY_US, keep).await.unwrap();
    assert_eq!(hours(world.rollups().await), 2);
    // An actual of an hour that is gone changes nothing, and brings nothing back.
    world.actuals(&[actual("z", "1", 2.0, ""), actual("z", "2", 2.0, "")]).await;
    assert_eq!(hours(world.rollups().await), 2);
    assert_eq!(world.total().await.accuracy.rows(), 1);
    world.restart().await;
    world.actuals(&[actual("y", "1", 3.0, "")]).await;
    // Not even when a late record brought the hour back.
    world.inputs(&[row("late", "4", 1.0, 0)]).await;
    world.actuals(&[actual("x", "1", 4.0, ""), actual("x", "4", 4.0, "")]).await;
    assert_eq!(world.total().await.accuracy.rows(), 1);
    // Folds go with their newest item, and the repeats with them.
    assert!(world.folds().await > 0);
    let now = jiff::Timestamp::now().as_microsecond();
    world
        .ingest
        .retain(now + 6 * DAY_US, Retention { statistics_days: 40_000, pending_days: 5 })
        .await
        .unwrap();
    assert_eq!(world.folds().await, 0);
    let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pending")
        .fetch_one(world.store.pool())
        .await
        .unwrap();
    assert_eq!(left, 0);
    assert_eq!(taken(&world.inputs(&[row("b", "2", 1.0, 24)]).await), (1, 0, 0));
});

on_both!(what_a_fold_left_behind_is_swept_away, async |mut world: World| {
    world.inputs(&[row("a", "1", 1.0, 0)]).await;
    world.fold().await;
    // A fold that was not done, with all that another one has; and shards of one whose row was deleted first.
    let folds = world.folds().await;
    for statement in [
        "INSERT INTO folds SELECT 1000, 0, bits, newest_us, records, predictions, actuals FROM folds WHERE id = 0",
        "INSERT INTO pending SELECT 1000, shard, body FROM pending WHERE fold = 0",
        "INSERT INTO pending SELECT 1001, shard, body FROM pending WHERE fold = 0",
    ] {
        sqlx::query(statement).execute(world.store.pool()).await.unwrap();
    }
    world.restart().await;
    let left = "SELECT COUNT(*) FROM pending WHERE fold >= 1000";
    let left: i64 = sqlx::query_scalar(left).fetch_one(world.store.pool()).await.unwrap();
    assert_eq!((left, world.folds().await), (0, folds));
    // Were it still there, the row would meet its actual twice.
    world.actuals(&[actual("b", "1", 2.0, "")]).await;
    assert_eq!(world.total().await.accuracy.rows(), 1);
});

#[tokio::test]
async fn a_copy_made_while_rows_are_written_opens_and_agrees() {
    let world = World::new(Database::sqlite()).await;
    let to = world.database.folder().unwrap().join("copy.db");
    world.inputs(&[row("first", "first", 1.0, 0)]).await;
    let writing = async {
        for number in 0..400 {
            let id = number.to_string();
            world.inputs(&[row(&id, &id, 1.0, number % 7)]).await;
        }
    };
    let (copied, ()) = tokio::join!(world.store.backup(&to), writing);
    copied.unwrap();
    assert!(matches!(world.store.backup(&to).await, Err(StoreError::Backup(_))));
    let address = format!("sqlite:{}", to.display());
    let store = Store::open(&address).await.unwrap();
    let ingest = Ingest::start(store.clone(), world.settings).await.unwrap();
    let copy = World { database: Database::sqlite(), store, ingest, ..world };
    let rows = copy.total().await.rows;
    assert!((1..=401).contains(&rows), "{rows}");
    // What is in the copy is known as repeats; what is not is taken: the counts and the ids were of one moment.
    let all: Vec<String> = (0..400)
        .map(|number: i64| row(&number.to_string(), &number.to_string(), 1.0, number % 7))
        .collect();
    let answer = copy.inputs(&all).await;
    assert_eq!(answer.duplicates as u64 + 1, rows);
    assert_eq!(copy.total().await.rows, 401);
}

#[tokio::test]
async fn a_server_has_its_own_tools_for_copies() {
    let Some(database) = Database::postgres() else { return };
    let world = World::new(database).await;
    let error = world.store.backup(std::path::Path::new("copy")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "copy the database: a PostgreSQL database is copied by `pg_dump`"
    );
}
