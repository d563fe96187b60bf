//! Deployments of models that are no packages, for the stories of failures.

use std::sync::Arc;

use super::{
    Fleet,
    arrive::Origin,
    change::{Change, ChangeError, Place},
    lineup::Slot,
    names::check_name,
};
use crate::{deployment::Serving, scoring::Score, settings::DeploymentSettings};

impl Fleet {
    /// Gives a model its place, as if it were a package that was found good. The first makes the deployment.
    pub(crate) fn admit(
        &self,
        id: &str,
        model_id: Option<&str>,
        model: impl Score + 'static,
        settings: DeploymentSettings,
        place: Place,
    ) -> Result<Change, ChangeError> {
        let slot = self.slot(id).or_else(|_| -> Result<_, ChangeError> {
            check_name("deployment", id)?;
            let settings = Arc::new(settings);
            Ok(Arc::new(Slot { settings, ..self.new_slot(id)? }))
        })?;
        self.check_place(&slot, &place)?;
        let model_id = model_id.map(str::to_owned);
        let settings = Arc::clone(&slot.settings);
        let serving = Serving::new(Arc::clone(&slot.id), model_id, Box::new(model), None, settings)
            .map_err(ChangeError::Bind)?;
        let origin = Origin { package: None, by: "somebody", how: "deploy", given: false };
        let mut previous = slot.previous.lock();
        self.seat(&slot, &mut previous, &Arc::new(serving), &place, origin)
    }
}
