//! Deployments: their packages, settings and environments.

use super::*;
use crate::numbers::Distance;
use crate::registry::settings::DriftRules;

on_both!(a_deployment_has_the_id_that_was_said_once, async |mut world: World| {
    let (package, known) = world.deployed("diabetes").await;
    assert_eq!((&*known.deployment.id, &*known.deployment.label), ("diabetes", "a label"));
    assert_eq!((&*known.plan.id, known.packages.len()), ("diabetes", 1));
    assert!(conflict(world.deploy("diabetes", &package.id).await).contains("diabetes"));
    is_missing(world.deploy("other", "none").await, "model package");
    let made = json!({"label": " ", "modelPackageId": package.id});
    let made = world.registry.deploy(serde_json::from_value(made).unwrap()).await.unwrap();
    let id = &made.deployment.id;
    assert_eq!((id.len(), &made.deployment.label), (24, id));
    let long = "ä".repeat(DEPLOYMENT_ID_CHARS);
    for id in ["", "a/b", "a\nb", &format!("{long}ä")] {
        assert_eq!(field(world.deploy(id, &package.id).await), "id", "{id:?}");
    }
    world.deploy(&long, &package.id).await.unwrap();
    world.restart().await;
    let ids: Vec<_> =
        world.registry.deployments().iter().map(|it| it.deployment.id.clone()).collect();
    assert_eq!(ids, ["diabetes", id, &*long]);
    world.registry.undeploy("diabetes").await.unwrap();
    is_missing(world.registry.deployment("diabetes"), "deployment");
    is_missing(world.registry.undeploy("diabetes").await, "deployment");
    assert!(world.registry.replacements("diabetes").await.unwrap().is_empty());
    world.restart().await;
    is_missing(world.registry.deployment("diabetes"), "deployment");
    world.deploy("diabetes", &package.id).await.unwrap();
});

on_both!(a_package_takes_anothers_place_and_the_reason_is_kept, async |mut world: World| {
    let (first, _) = world.deployed("d").await;
    let second = world.external(json!({"modelId": "second"})).await.unwrap();
    let (third, _) = world.registry.upload(&sealed(&trained("1"))).await.unwrap();
    world.registry.replace("d", &second.id, Reason::DataDrift).await.unwrap();
    world.registry.replace("d", &third.id, Reason::ScoringSpeed).await.unwrap();
    world.registry.replace("d", &second.id, Reason::Errors).await.unwrap();
    for _restarted in 0..2 {
        let history = world.registry.replacements("d").await.unwrap();
        let told: Vec<_> = history.iter().map(|it| (&*it.package_id, it.reason)).collect();
        assert_eq!(
            told,
            [
                (&*first.id, None),
                (&*second.id, Some(Reason::DataDrift)),
                (&*third.id, Some(Reason::ScoringSpeed)),
                (&*second.id, Some(Reason::Errors)),
            ]
        );
        assert_eq!(history[2].digest, third.digest);
        assert!(history.is_sorted_by_key(|it| it.at_us));
        // Late records of former packages still find their bins.
        let known = world.registry.deployment("d").unwrap();
        let models: Vec<_> = known.plan.packages.iter().map(|it| &*it.model_id).collect();
        assert_eq!(models, ["second", &*third.model_id, &*first.model_id]);
        assert_eq!(known.deployment.package_id, second.id);
        world.restart().await;
    }
    is_missing(world.registry.replace("d", "none", Reason::Other).await, "model package");
    is_missing(world.registry.replace("none", &first.id, Reason::Other).await, "deployment");
    let target = json!({"target": {"name": "Z", "type": "Regression"}});
    let other = world.external(target).await.unwrap();
    let message = conflict(world.registry.replace("d", &other.id, Reason::Other).await);
    assert!(message.contains("\"Z\"") && message.contains("\"Y\""), "{message}");
    let classes =
        |names: [&str; 2]| json!({"target": {"name": "Y", "type": "Binary", "classNames": names}});
    let yes = world.external(classes(["no", "yes"])).await.unwrap();
    conflict(world.registry.replace("d", &yes.id, Reason::Other).await);
    let up = world.external(classes(["down", "up"])).await.unwrap();
    world.deploy("classes", &yes.id).await.unwrap();
    let message = conflict(world.registry.replace("classes", &up.id, Reason::Other).await);
    assert!(message.contains("[\"down\", \"up\"])"), "{message}");
    assert_eq!(world.registry.replacements("d").await.unwrap().len(), 4);
});

on_both!(settings_change_key_by_key, async |mut world: World| {
    world.deployed("d").await;
    let before = world.registry.deployment("d").unwrap().deployment.settings.clone();
    assert_eq!(before, Settings::default());
    let patch = json!({
        "targetDrift": {"enabled": false},
        "drift": {"metric": "hellinger"},
        "health": {"errorsRed": 0.5},
        "featureImportance": {"age": 0.25},
        "associationId": {"requiredInPredictionRequests": true},
        "rateLimitRowsAnHour": 7,
        "clock": {"aheadSeconds": 1},
        "segmentAnalysis": {"enabled": true},
    });
    let after = world.change("d", patch).await.unwrap();
    assert_eq!(after.drift, DriftRules { metric: Distance::Hellinger, ..DriftRules::default() });
    assert_eq!((after.target_drift.enabled, after.feature_drift.enabled), (false, true));
    assert_eq!(after.more["segmentAnalysis"], json!({"enabled": true}));
    world.change("d", json!({"featureImportance": {"sex": 0}})).await.unwrap();
    world.restart().await;
    let known = world.registry.deployment("d").unwrap();
    let settings = &known.deployment.settings;
    let importance: Vec<_> = settings.feature_importance.iter().map(|(n, v)| (&**n, *v)).collect();
    assert_eq!(importance, [("age", 0.25), ("sex", 0.0)]);
    assert_eq!((known.plan.rows_an_hour, known.plan.ahead_us), (Some(7), 1_000_000));
    assert!(known.plan.association_required);
    assert_eq!(settings.health_settings().errors_red, 0.5);
    assert_eq!(settings.drift_settings().distance, Distance::Hellinger);
    world.change("d", json!({"rateLimitRowsAnHour": null})).await.unwrap();
    assert_eq!(world.registry.deployment("d").unwrap().plan.rows_an_hour, None);
    is_missing(world.change("none", json!({})).await, "deployment");
});

on_both!(settings_that_cannot_be_name_their_field_and_change_nothing, async |world: World| {
    world.deployed("d").await;
    for (patch, wrong) in [
        (json!({"drift": {"threshold": 0}}), "drift.threshold"),
        (json!({"drift": {"threshold": "0.1"}}), "drift.threshold"),
        (json!({"drift": {"metric": "kolmogorov"}}), "drift.metric"),
        (json!({"drift": {"minimumRows": -1}}), "drift.minimumRows"),
        (json!({"drift": 7}), "drift"),
        (json!({"targetDrift": {"enabled": "yes"}}), "targetDrift.enabled"),
        (json!({"health": {"errorsYellow": 1.1}}), "health.errorsYellow"),
        (json!({"health": {"errorsYellow": 0.2, "errorsRed": 0.1}}), "health.errorsRed"),
        (json!({"featureImportance": {"age": 1.5}}), "featureImportance"),
        (json!({"featureImportance": {"age": "high"}}), "featureImportance.age"),
        (json!({"associationId": {"columnNames": "id"}}), "associationId.columnNames"),
        (json!({"predictionThreshold": 2}), "predictionThreshold"),
        (json!({"rateLimitRowsAnHour": 1.5}), "rateLimitRowsAnHour"),
        (json!({"slowRequestsMs": 0}), "slowRequestsMs"),
        (json!({"clock": {"aheadSeconds": 0}}), "clock.aheadSeconds"),
        (json!({"clock": {"behindSeconds": 0}}), "clock.behindSeconds"),
    ] {
        assert_eq!(field(world.change("d", patch.clone()).await), wrong, "{patch}");
    }
    let settings = &world.registry.deployment("d").unwrap().deployment.settings;
    assert_eq!(*settings, Settings::default());
    // The edges themselves are good.
    let edges = json!({
        "drift": {"threshold": 1e-9, "minimumRows": 0},
        "health": {"errorsYellow": 0, "errorsRed": 1},
        "featureImportance": {"age": 1, "sex": 0},
        "predictionThreshold": 1,
        "rateLimitRowsAnHour": 0,
        "clock": {"aheadSeconds": 1, "behindSeconds": 1},
    });
    world.change("d", edges).await.unwrap();
});

on_both!(an_environment_in_use_stays, async |mut world: World| {
    let given = json!({"name": "edge", "platform": "outpost", "pulumi": 1});
    let given: NewEnvironment = serde_json::from_value(given).unwrap();
    let nameless = NewEnvironment { name: String::new(), ..given.clone() };
    assert_eq!(field(world.registry.add_environment(nameless).await), "name");
    let environment = world.registry.add_environment(given).await.unwrap();
    let package = world.external(json!({})).await.unwrap();
    let place = |id: &str| {
        let given = json!({"id": "d", "label": "", "modelPackageId": package.id,
            "predictionEnvironmentId": id});
        serde_json::from_value::<NewDeployment>(given).unwrap()
    };
    is_missing(world.registry.deploy(place("none")).await, "prediction environment");
    world.registry.deploy(place(&environment.id)).await.unwrap();
    world.restart().await;
    let all = world.registry.environments().await.unwrap();
    assert_eq!(all, std::slice::from_ref(&environment));
    assert_eq!(all[0].given.more["pulumi"], 1);
    let message = conflict(world.registry.remove_environment(&environment.id).await);
    assert!(message.contains("\"d\""), "{message}");
    for (agent, force) in [("monitoring", false), ("management", true), ("monitoring", true)] {
        world.registry.ask_for_restart(&environment.id, agent, force).await.unwrap();
    }
    let asked = world.registry.environment(&environment.id).await.unwrap().restarts;
    let asked: Vec<_> = asked.iter().map(|it| (&*it.agent, it.force)).collect();
    assert_eq!(asked, [("management", true), ("monitoring", true)]);
    is_missing(world.registry.ask_for_restart("none", "x", true).await, "prediction environment");
    world.registry.undeploy("d").await.unwrap();
    world.registry.remove_environment(&environment.id).await.unwrap();
    is_missing(world.registry.remove_environment(&environment.id).await, "prediction environment");
    is_missing(world.registry.environment(&environment.id).await, "prediction environment");
});

on_both!(what_is_defined_belongs_to_its_deployment, async |mut world: World| {
    world.deployed("d").await;
    world.deployed("e").await;
    let metric = world.registry.define("d", "metric", json!({"name": "cost"})).await.unwrap();
    world.registry.define("d", "batch", json!({"batchName": "b"})).await.unwrap();
    is_missing(world.registry.define("none", "metric", json!({})).await, "deployment");
    world.restart().await;
    let all = world.registry.definitions("d", "metric").await.unwrap();
    assert_eq!(all, std::slice::from_ref(&metric));
    assert_eq!(world.registry.definition("d", "metric", &metric.id).await.unwrap(), metric);
    is_missing(world.registry.definition("d", "batch", &metric.id).await, "batch");
    is_missing(world.registry.definition("e", "metric", &metric.id).await, "metric");
    let (before, after) = (&metric.body, json!({"name": "price"}));
    assert!(world.registry.redefine(&metric.id, before, &after).await.unwrap());
    // What it was then it is no longer.
    assert!(!world.registry.redefine(&metric.id, before, &json!({})).await.unwrap());
    let (of, changed) = world.registry.find_definition("metric", &metric.id).await.unwrap();
    assert_eq!((&*of, &changed.body["name"]), ("d", &json!("price")));
    is_missing(world.registry.find_definition("batch", &metric.id).await, "batch");
    assert!(world.registry.definitions("e", "metric").await.unwrap().is_empty());
    world.registry.undeploy("d").await.unwrap();
    assert!(world.registry.definitions("d", "batch").await.unwrap().is_empty());
});

on_both!(importance_is_what_was_said_else_what_was_measured_else_all, async |world: World| {
    let manifest = trained("1");
    let measured = manifest.baseline.importance.clone();
    assert!(measured.contains(&1.0) && measured.iter().any(|it| *it < 0.5), "{measured:?}");
    let (package, _) = world.registry.upload(&sealed(&manifest)).await.unwrap();
    world.deploy("d", &package.id).await.unwrap();
    let importance = |name: &str| {
        let known = world.registry.deployment("d").unwrap();
        let features = &known.baseline.as_ref().unwrap().features;
        features.iter().find(|column| column.name == name).unwrap().importance
    };
    let names = manifest.features.iter().map(|feature| &*feature.name);
    for (name, measured) in names.zip(measured) {
        assert_eq!(importance(name), measured, "{name}");
    }
    world.change("d", json!({"featureImportance": {"age": 0.75}})).await.unwrap();
    assert_eq!(importance("age"), 0.75);
    let mut older = trained("2");
    older.baseline.importance.clear();
    let (package, _) = world.registry.upload(&sealed(&older)).await.unwrap();
    world.registry.replace("d", &package.id, Reason::Other).await.unwrap();
    assert_eq!(importance("sex"), 1.0);
});
