//! Packages: files, descriptions, training data.

use models::manifest::Distribution;
use models::schema::Feature;

use super::*;
use crate::numbers::Bins;
use crate::numbers::accuracy::Target;

on_both!(a_file_is_kept_once_and_given_back, async |mut world: World| {
    let manifest = trained("1");
    let bytes = sealed(&manifest);
    let (package, is_new) = world.registry.upload(&bytes).await.unwrap();
    assert!(is_new);
    let digest = package.digest.clone().unwrap();
    assert_eq!((digest.len(), &digest[..7]), (71, "sha256:"));
    assert_eq!(package.model_id, digest[7..31]);
    assert_eq!(
        (&*package.name, &*package.version, package.origin),
        ("diabetes", "1", Origin::Native)
    );
    assert_eq!((&*package.target.name, package.target.kind), ("Y", TargetType::Regression));
    assert_eq!(package.bytes, Some(bytes.len() as u64));
    assert_eq!(package.training_data_sha256, Some(manifest.provenance.data_sha256.clone()));
    assert_eq!(package.training_rows, Some(442));
    assert_eq!(package.build_environment, manifest.provenance.tools);
    assert_eq!(world.registry.artefact(&digest).await.unwrap(), bytes);
    let (again, is_new) = world.registry.upload(&bytes).await.unwrap();
    assert_eq!((again.id == package.id, is_new), (true, false));
    // Another version of the same name has its own file, id and bins.
    let (next, is_new) = world.registry.upload(&sealed(&trained("2"))).await.unwrap();
    assert!(is_new && next.id != package.id && next.plan != package.plan);
    assert_eq!((&next.name, &*next.version), (&package.name, "2"));
    world.restart().await;
    let names: Vec<_> =
        world.registry.packages(false).iter().map(|it| it.version.clone()).collect();
    assert_eq!(names, ["1", "2"]);
    assert_eq!(*world.registry.package(&package.id).unwrap(), *package);
    assert_eq!(world.registry.artefact(&digest).await.unwrap(), bytes);
    let (again, is_new) = world.registry.upload(&bytes).await.unwrap();
    assert_eq!((again.id == package.id, is_new), (true, false));
    is_missing(world.registry.artefact("sha256:00").await, "artefact");
});

on_both!(a_file_that_is_no_package_says_why, async |world: World| {
    let manifest = trained("1").to_json();
    let mut other = trained("1");
    other.name = "Not A Name".to_owned();
    let core = [b"\0asm\x01\0\0\0".as_slice(), &sealed(&trained("1"))[8..]].concat();
    let named = |bytes: &[u8]| component(&[("outpost:manifest", bytes)]);
    let twice = component(&[("outpost:manifest", &manifest), ("outpost:manifest", &manifest)]);
    let whole = sealed(&trained("1"));
    for (bytes, why) in [
        (b"PK\x03\x04 a zip".to_vec(), "no WebAssembly component"),
        (Vec::new(), "no WebAssembly component"),
        (core, "no WebAssembly component"),
        (whole[..whole.len() - 1].to_vec(), "no WebAssembly component"),
        (component(&[("name", b"x")]), "outpost seal"),
        (named(b"{}"), "manifest"),
        (named(b"{\"format\": 99}"), "99"),
        (named(&other.to_json()), "`name`"),
        (twice, "two"),
    ] {
        let error = world.registry.upload(&bytes).await.unwrap_err();
        assert!(matches!(error, RegistryError::Package(_)), "{error}");
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        assert!(text.contains(why), "{text} does not say {why}");
    }
    assert!(world.registry.packages(true).is_empty());
});

/// The diabetes data with a further column that says of each row what came out of `predict`.
fn with_predictions(predict: impl Fn(f64) -> f64) -> Vec<u8> {
    let text = std::str::from_utf8(DIABETES).unwrap();
    let line = |(at, line): (usize, &str)| match at {
        0 => format!("{line},prediction\n"),
        _ => {
            let target: f64 = line.rsplit(',').next().unwrap().parse().unwrap();
            format!("{line},{}\n", predict(target))
        }
    };
    text.lines().enumerate().map(line).collect::<String>().into_bytes()
}

on_both!(training_data_gives_the_trainers_histograms, async |mut world: World| {
    let manifest = trained("1");
    let package = world.external(json!({})).await.unwrap();
    assert_eq!((package.baseline.is_none(), package.origin), (true, Origin::External));
    let known = world.deploy("d", &package.id).await.unwrap();
    assert!(known.baseline.is_none());
    let trained = world.registry.train_external(&package.id, DIABETES).await.unwrap();
    let baseline = trained.baseline.clone().unwrap();
    assert_eq!(baseline.rows, 442);
    assert_eq!(baseline.features, manifest.baseline.features);
    assert_eq!(baseline.target, manifest.baseline.target);
    // Nobody said what the model predicts: as what it was taught.
    assert_eq!((&baseline.predictions, trained.metrics.len()), (&baseline.target, 0));
    let names = |features: &[Feature]| -> Vec<String> {
        features.iter().map(|it| it.name.clone()).collect()
    };
    assert_eq!(names(&trained.features), names(&manifest.features));
    assert_eq!(trained.training_data_sha256, Some(manifest.provenance.data_sha256.clone()));
    assert_eq!(trained.training_rows, Some(442));
    // Its deployment knows at once, under another number.
    let known = world.registry.deployment("d").unwrap();
    assert_eq!(known.baseline.as_ref().unwrap().plan, trained.plan);
    assert!(trained.plan > package.plan);
    let plan = &known.plan.packages[0];
    assert_eq!((plan.number, plan.features().len()), (trained.plan, 10));

    let with = with_predictions(|target| target + 3.0);
    let told = world.registry.train_external(&package.id, &with).await.unwrap();
    let baseline = told.baseline.clone().unwrap();
    assert_eq!(baseline.features, manifest.baseline.features);
    let Bins::Numeric { min, max } = known_predictions(&world) else { panic!("numbers") };
    assert_eq!((min, max), (28.0, 349.0));
    assert!((told.metrics["training_rmse"] - 3.0).abs() < 1e-9, "{:?}", told.metrics);
    assert!((told.metrics["training_mae"] - 3.0).abs() < 1e-9);
    assert!(told.plan > trained.plan);
    world.restart().await;
    assert_eq!(*world.registry.package(&package.id).unwrap(), *told);
    let known = world.registry.deployment("d").unwrap();
    assert_eq!(known.baseline.as_ref().unwrap().metrics, told.metrics);
    // The same by a file that was there before.
    let file = world.registry.add_dataset("t.csv", &with).await.unwrap();
    let more = json!({"datasets": {"trainingDataCatalogId": file}});
    let other = world.external(more).await.unwrap();
    assert_eq!((&other.baseline, &other.metrics), (&told.baseline, &told.metrics));
    let more = json!({"datasets": {"trainingDataCatalogId": "none"}});
    is_missing(world.external(more).await, "dataset");
});

on_both!(
    holdout_data_tells_what_the_model_says_of_rows_that_are_new_to_it,
    async |world: World| {
        let file =
            async |text: &str| world.registry.add_dataset("f.csv", text.as_bytes()).await.unwrap();
        let training = file("a,Y,prediction\n1,1,2\n2,3,3\n3,5,4\n").await;
        let holdout = file("a,Y,prediction\n1,1,11\n2,3,13\n").await;
        let made = async |holdout: &str| {
            let datasets =
                json!({"trainingDataCatalogId": training, "holdoutDataCatalogId": holdout});
            world.external(json!({"datasets": datasets})).await
        };
        let package = made(&holdout).await.unwrap();
        let baseline = package.baseline.as_ref().unwrap();
        assert_eq!(baseline.predictions, Distribution::of_numbers(&[11.0, 13.0]));
        assert_eq!(baseline.target, Distribution::of_numbers(&[1.0, 3.0, 5.0]));
        assert!((package.metrics["holdout_rmse"] - 10.0).abs() < 1e-12);
        assert!((package.metrics["training_mae"] - 2.0 / 3.0).abs() < 1e-12);
        for (text, why) in [
            ("a,Y\n1,1\n", "has no column \"prediction\""),
            ("a,prediction\n1,1\n", "the holdout data: it has no column \"Y\", the target"),
            (
                "Y,prediction\n1,x\n",
                "the holdout data: column \"prediction\", line 2: not a number",
            ),
        ] {
            let holdout = file(text).await;
            let refused = made(&holdout).await.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
        is_missing(made("none").await, "dataset");
        let alone = world.external(json!({"datasets": {"holdoutDataCatalogId": holdout}})).await;
        assert_eq!(field(alone), "datasets.trainingDataCatalogId");
    }
);

fn known_predictions(world: &World) -> Bins {
    world.registry.deployment("d").unwrap().plan.packages[0].predictions.clone().unwrap()
}

on_both!(training_data_that_cannot_be_used_says_where, async |world: World| {
    let package = world.external(json!({})).await.unwrap();
    for (file, why) in [
        ("a,b\n1,2\n", "\"Y\""),
        ("Y\n", "rows"),
        ("", "rows"),
        ("a,a,Y\n1,2,3\n", "\"a\""),
        ("a,,Y\n1,2,3\n", "\"\""),
        ("a,Y\n1,2\n3\n", "CSV"),
        ("a,Y,prediction\n1,2,3\n1,2,x\n", "line 3"),
        ("a,Y,prediction\n1,x,3\n", "\"Y\""),
    ] {
        let error = world.registry.train_external(&package.id, file.as_bytes()).await.unwrap_err();
        assert!(matches!(error, RegistryError::Training(_)), "{error}");
        assert!(error.to_string().contains(why), "{error} does not say {why}");
    }
    let wide: String = (0..10_001).map(|at| format!("c{at},")).collect::<String>() + "Y\n";
    let error = world.registry.train_external(&package.id, wide.as_bytes()).await.unwrap_err();
    assert!(error.to_string().contains("10002"), "{error}");
    assert!(world.registry.package(&package.id).unwrap().baseline.is_none());
    let (native, _) = world.registry.upload(&sealed(&trained("1"))).await.unwrap();
    conflict(world.registry.train_external(&native.id, DIABETES).await);
    is_missing(world.registry.train_external("none", DIABETES).await, "model package");
});

on_both!(a_description_that_cannot_be_names_its_field, async |world: World| {
    let target = |kind: &str, more: Value| {
        let mut target = json!({"name": "Y", "type": kind});
        for (key, value) in more.as_object().unwrap() {
            target[key] = value.clone();
        }
        json!({"target": target})
    };
    for (given, wrong) in [
        (json!({"name": " "}), "name"),
        (json!({"target": {"name": "", "type": "Regression"}}), "target.name"),
        (target("Regression", json!({"classNames": ["a", "b"]})), "target.classNames"),
        (target("Binary", json!({})), "target.classNames"),
        (target("Binary", json!({"classNames": ["a", "b", "c"]})), "target.classNames"),
        (target("Binary", json!({"classNames": ["a", "a"]})), "target.classNames"),
        (target("Multiclass", json!({"classNames": ["a"]})), "target.classNames"),
        (
            target("Binary", json!({"classNames": ["a", "b"], "predictionThreshold": 1.1})),
            "target.predictionThreshold",
        ),
    ] {
        assert_eq!(field(world.external(given.clone()).await), wrong, "{given}");
    }
    let binary = target("Binary", json!({"classNames": ["yes", "no"], "predictionThreshold": 0.3}));
    let package = world.external(binary).await.unwrap();
    let known = world.deploy("d", &package.id).await.unwrap();
    let classes = ["no".to_owned(), "yes".to_owned()];
    assert_eq!(known.plan.target, Target::Binary { classes, threshold: 0.3 });
    // A deployment's own comes before the package's.
    world.change("d", json!({"predictionThreshold": 0.7})).await.unwrap();
    let known = world.registry.deployment("d").unwrap();
    assert!(matches!(known.plan.target, Target::Binary { threshold, .. } if threshold == 0.7));
});

on_both!(an_archived_package_is_not_offered_and_serves_on, async |mut world: World| {
    let (package, _) = world.deployed("d").await;
    world.registry.archive(&package.id).await.unwrap();
    let archived = format!("model package {:?} is archived", package.id);
    assert_eq!(conflict(world.deploy("e", &package.id).await), archived);
    assert_eq!(conflict(world.registry.replace("d", &package.id, Reason::Other).await), archived);
    let again = world.registry.archive(&package.id).await.unwrap_err();
    assert_eq!(again.to_string(), format!("model package {:?} is gone", package.id));
    is_missing(world.registry.archive("none").await, "model package");
    for _restarted in 0..2 {
        assert!(world.registry.packages(false).is_empty());
        assert_eq!(world.registry.packages(true).len(), 1);
        assert!(world.registry.package(&package.id).unwrap().is_archived);
        let known = world.registry.deployment("d").unwrap();
        assert!(known.packages[0].is_archived);
        world.restart().await;
    }
});
