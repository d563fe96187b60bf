use super::item::{Item, Items, Known, Values, Waiting};
use super::open::Open;
use super::*;

fn waiting(hour: u32, values: &[f64]) -> Waiting {
    Waiting { group: 7, hour, values: Values::of(values) }
}

#[test]
fn keys_know_where_a_text_ends() {
    assert_ne!(key(0, &["ab", "c"]), key(0, &["a", "bc"]));
    assert_ne!(key(0, &["a"]), key(1, &["a"]));
    assert_eq!(key(1, &["a", "b"]), key(1, &["a", "b"]));
}

#[test]
fn a_key_has_many_predictions_and_its_last_actual() {
    let mut open = Open::default();
    assert!(open.add_record(1) && !open.add_record(1) && open.has_record(1));
    open.add_prediction(2, waiting(1, &[0.5]));
    open.add_prediction(2, waiting(2, &[0.25, 0.75]));
    open.add_prediction(3, waiting(3, &[1.0]));
    for value in [1.0, 2.0] {
        open.set_actual(2, Known { at_us: 5, value });
    }
    let hours: Vec<u32> = open.predictions(2).map(|one| one.hour).collect();
    assert_eq!(hours, [2, 1]);
    assert_eq!((open.actual(2).map(|known| known.value), open.actual(3)), (Some(2.0), None));
    // One that comes after its actual does not wait for it.
    assert_eq!((open.len(), open.waiting()), (5, 1));
    open.add_prediction(2, waiting(4, &[0.5]));
    assert_eq!((open.len(), open.waiting()), (6, 1));
}

#[test]
fn a_fold_has_every_item_in_the_shard_of_its_key() {
    let mut open = Open::default();
    for number in 0..3_000_u32 {
        let key = key(9, &[&number.to_string()]);
        match number % 3 {
            0 => drop(open.add_record(key)),
            1 => open.add_prediction(key, waiting(number, &[0.5; 3][..1 + number as usize % 2])),
            _ => open.set_actual(key, Known { at_us: 1, value: f64::from(number) }),
        }
    }
    let sorted = open.sorted(256);
    assert_eq!(sorted.shards.len(), 16);
    let mut read = Open::default();
    for (shard, bytes) in sorted.shards.iter().enumerate() {
        for item in Items::of(bytes) {
            let (key, item) = item.unwrap();
            assert_eq!(sorted.shard(key), shard);
            let filter = match item {
                Item::Record => &sorted.records,
                Item::Prediction(_) => &sorted.predictions,
                Item::Actual(_) => &sorted.actuals,
            };
            assert!(filter.may_have(key));
            read.add(key, item);
        }
    }
    assert_eq!(read.len(), open.len());
    assert_eq!(read.sorted(256).shards, sorted.shards);
}

#[test]
fn a_cut_block_is_damaged() {
    let mut bytes = Vec::new();
    item::write_prediction(&mut bytes, 1, 2, 3, &[0.5, 0.5]);
    item::write_record(&mut bytes, 4);
    assert_eq!(Items::of(&bytes).filter(Result::is_ok).count(), 2);
    for length in 1..bytes.len() {
        let read: Vec<bool> = Items::of(&bytes[..length]).map(|item| item.is_ok()).collect();
        // The cut between the two items is none.
        assert_eq!(read.last() == Some(&false), length != bytes.len() - 17, "{length}");
    }
}
