//! Files.

use super::*;

on_both!(a_file_is_listed_until_it_is_deleted_and_known_to_be_gone, async |mut world: World| {
    let first = world.registry.add_dataset("a.csv", b"a\n1\n").await.unwrap();
    let second = world.registry.add_dataset("b.csv", b"").await.unwrap();
    world.restart().await;
    let listed = world.registry.datasets().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|it| (&*it.id, &*it.name, it.bytes)).collect();
    assert_eq!(listed, [(&*first, "a.csv", 4), (&*second, "b.csv", 0)]);
    assert_eq!(world.registry.dataset_bytes(&first).await.unwrap(), b"a\n1\n");
    world.registry.remove_dataset(&first).await.unwrap();
    world.restart().await;
    assert_eq!(world.registry.datasets().await.unwrap().len(), 1);
    for gone in [
        world.registry.dataset(&first).await.map(drop),
        world.registry.dataset_bytes(&first).await.map(drop),
        world.registry.remove_dataset(&first).await,
    ] {
        let error = gone.unwrap_err();
        assert!(matches!(error, RegistryError::Gone { what: "dataset", .. }), "{error}");
    }
    is_missing(world.registry.dataset("none").await, "dataset");
    is_missing(world.registry.remove_dataset("none").await, "dataset");
});
