//! Cross-validation of one algorithm or of all, and the choice.

use super::{
    Algorithm, Candidate, Progress, Scores, Settings, TrainError,
    folds::{Fold, folds},
    learner::Learner,
    prepare::Prepared,
};

/// Cross-validates what is to be tried. An algorithm that does not learn is an error where it was asked for, and a
/// candidate without scores where all are tried.
pub(super) fn candidates(
    prepared: &Prepared,
    settings: &Settings,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Candidate>, TrainError> {
    let folds = folds(prepared.targets.len(), settings.folds, settings.seed);
    let tried = settings.algorithm.map_or(Algorithm::ALL.to_vec(), |algorithm| vec![algorithm]);
    let mut candidates = Vec::with_capacity(tried.len());
    for algorithm in tried {
        let (learner, parameters) = Learner::new(algorithm, &settings.parameters)?;
        progress(Progress::Started { algorithm, folds: folds.len() });
        let mut candidate = Candidate {
            algorithm,
            parameters,
            folds: Vec::with_capacity(folds.len()),
            failure: None,
        };
        for (at, fold) in folds.iter().enumerate() {
            match score(prepared, learner, fold, settings.seed) {
                Ok(scores) => {
                    candidate.folds.push(scores);
                    progress(Progress::Fold {
                        algorithm,
                        fold: at + 1,
                        folds: folds.len(),
                        rmse: scores.rmse,
                    });
                }
                Err(error) if settings.algorithm.is_some() => return Err(error),
                Err(error) => {
                    candidate.folds.clear();
                    candidate.failure = Some(chain(&error));
                    break;
                }
            }
        }
        progress(Progress::Finished { algorithm, rmse: candidate.rmse().map(|rmse| rmse.mean) });
        candidates.push(candidate);
    }
    Ok(candidates)
}

/// The candidate with the smallest mean RMSE, the first one of several.
pub(super) fn best(candidates: &[Candidate]) -> Result<usize, TrainError> {
    let scored = candidates
        .iter()
        .enumerate()
        .filter_map(|(at, candidate)| candidate.rmse().map(|rmse| (at, rmse.mean)));
    let best = scored.reduce(|best, other| if other.1 < best.1 { other } else { best });
    best.map(|(at, _)| at).ok_or_else(|| TrainError::NoneLearned {
        first: candidates
            .iter()
            .find_map(|candidate| candidate.failure.clone())
            .unwrap_or_default(),
    })
}

/// Learns from one half of a fold and scores the other as a package would.
fn score(
    prepared: &Prepared,
    learner: Learner,
    fold: &Fold,
    seed: u64,
) -> Result<Scores, TrainError> {
    let (model, _) = prepared.fit(learner, &fold.train, seed, false)?;
    let mut predictions = Vec::new();
    model.scorer()?.score(fold.test.len(), &prepared.rows(&fold.test), &mut predictions)?;
    Ok(Scores::of(&prepared.targets_of(&fold.test), &predictions))
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
