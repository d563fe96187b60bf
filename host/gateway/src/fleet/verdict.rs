//! What becomes of a new package after its trial.

use std::sync::Arc;

use record::Role;

use super::{
    Fleet,
    change::Change,
    lineup::{Lineup, Slot},
    operate::chain,
    watch::Verdict,
};

/// Who the gateway itself is in events.
const GATEWAY: &str = "gateway";

impl Fleet {
    /// Acts on the verdict about a new package. Waits for changes under way, so it belongs on no thread of requests.
    pub(crate) fn judged(&self, slot: &Arc<Slot>, digest: &str, role: Role, verdict: Verdict) {
        let mut previous = slot.previous.lock();
        let lineup = slot.lineup.load_full();
        let champion =
            lineup.champion.as_ref().filter(|champion| champion.serving.digest == digest);
        let canary = lineup.canary.as_ref().filter(|canary| canary.serving.digest == digest);
        // Whoever has changed the line-up meanwhile knew better.
        match (role, verdict, champion.and_then(|champion| champion.watch.as_ref()), canary) {
            (Role::Champion, Verdict::Good, Some(watch), _) => {
                let mut settled = Lineup::clone(&lineup);
                if let Some(champion) = &mut settled.champion {
                    champion.watch = None;
                }
                slot.lineup.store(Arc::new(settled));
                watch.fallback.scorer.rest();
            }
            (Role::Champion, Verdict::Bad, Some(watch), _) => {
                let why = watch.why();
                let done = self.told(&slot.id, "automatic-rollback", GATEWAY, None, || {
                    let how = "automatic-rollback";
                    self.take_back(slot, &mut previous, &watch.fallback, GATEWAY, how, &why)?;
                    let change = slot.change(
                        how,
                        champion.map(|gone| &*gone.serving),
                        Some(&watch.fallback),
                    );
                    Ok(Change { warnings: vec![why.clone()], ..change })
                });
                if let Err(error) = done {
                    tracing::error!(error = chain(&error), "A bad package serves on");
                }
            }
            (Role::Canary, Verdict::Bad, _, Some(canary)) => {
                let why = canary.watch.why();
                let done = self.told(&slot.id, "canary-abort", GATEWAY, None, || {
                    Ok(Change { warnings: vec![why], ..self.drop_canary(slot)? })
                });
                if let Err(error) = done {
                    tracing::error!(error = chain(&error), "A bad canary serves on");
                }
            }
            _ => {}
        }
    }
}
