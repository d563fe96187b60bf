use super::*;

fn levels(listed: &[(&str, u64)], other: u64) -> Distribution {
    let levels = listed.iter().map(|(level, count)| ((*level).to_owned(), *count)).collect();
    Distribution::Categorical { missing: 2, levels, other }
}

#[test]
fn numbers_have_ten_steps_and_places_around_them() {
    let values: Vec<f64> = (0..=10).map(f64::from).chain([f64::NAN]).collect();
    let (bins, baseline) = Bins::of(&Distribution::of_numbers(&values), None);
    assert_eq!(baseline.counts(), [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0, 1]);
    let places =
        [-0.1, 0.0, 0.99, 1.0, 9.99, 10.0, 10.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let places = places.map(|x| bins.place_number(x));
    assert_eq!(places, [0, 1, 1, 2, 10, 10, 11, 12, 11, 0]);
    assert_eq!(bins.place_text(Some(" 9.5 ")), 10);
    assert_eq!((bins.place_text(Some("nine")), bins.place_text(None)), (12, 12));
    let labels = bins.labels();
    assert_eq!(labels.len(), bins.places());
    assert_eq!(labels[1], Label::Step { from: 0.0, to: 1.0 });
    assert_eq!(labels[11], Label::Above { than: 10.0 });
}

#[test]
fn a_constant_and_nothing_have_bins_too() {
    let (bins, baseline) = Bins::of(&Distribution::of_numbers(&[3.0, 3.0]), None);
    assert_eq!([2.0, 3.0, 4.0].map(|x| bins.place_number(x)), [0, 1, 11]);
    assert_eq!((baseline.total(), baseline.counts()[1]), (2, 2));
    let (_, baseline) = Bins::of(&Distribution::of_numbers(&[f64::NAN]), None);
    assert_eq!((baseline.total(), baseline.counts()[12]), (1, 1));
}

#[test]
fn levels_have_places_for_others_new_ones_and_missing_ones() {
    let kind = Kind::Categorical(["z", "b", "a", "y"].map(str::to_owned).to_vec());
    let (bins, baseline) = Bins::of(&levels(&[("a", 5), ("b", 3)], 4), Some(&kind));
    assert_eq!(baseline.counts(), [5, 3, 4, 0, 2]);
    let places = [Some("a"), Some("b"), Some("y"), Some("z"), Some("c"), Some(""), None];
    assert_eq!(places.map(|level| bins.place_text(level)), [0, 1, 2, 2, 3, 3, 4]);
    let labels = bins.labels();
    assert_eq!(labels[1..4], [Label::Level { level: "b".into() }, Label::Other, Label::New]);
    assert_eq!(labels.len(), bins.places());
}

#[test]
fn where_nobody_knows_the_others_only_a_full_list_hides_some() {
    let names: Vec<String> = (0..LEVELS_LISTED).map(|at| at.to_string()).collect();
    let listed: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let (full, _) = Bins::of(&levels(&listed, 9), None);
    assert_eq!(full.place_text(Some("x")), LEVELS_LISTED);
    let (short, _) = Bins::of(&levels(&listed[1..], 0), None);
    assert_eq!(short.place_text(Some("x")), LEVELS_LISTED);
    assert_eq!(short.labels()[LEVELS_LISTED], Label::New);
    assert_eq!(full.place_number(7.0), 7);
}

#[test]
fn centroids_go_where_their_values_would() {
    let (bins, _) = Bins::of(&Distribution::of_numbers(&[0.0, 10.0]), None);
    let mut tally = bins.empty();
    bins.add_centroids(&mut tally, &[(-1.0, 2), (0.5, 3), (10.0, 4), (11.0, -9)], 5);
    assert_eq!(tally.counts(), [2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 5]);
}

#[test]
fn tallies_add_up() {
    let mut one = Tally(vec![1, 2, u64::MAX]);
    one.merge(&Tally(vec![3, 4, 5]));
    assert_eq!(one, Tally(vec![4, 6, u64::MAX]));
    assert_eq!(one.total(), u64::MAX);
}
