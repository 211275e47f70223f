//! What people tell runs: yes, no, an answer, what became of something, an end.

use std::sync::Arc;

use steadyhand_api::reference::PlanRef;
use steadyhand_api::reply::Response;
use steadyhand_engine::effect::What;
use steadyhand_engine::input::Input;
use steadyhand_engine::run::Run;
use steadyhand_model::approval::{Approval, Decision};
use steadyhand_model::event::{Answer, At};
use steadyhand_model::ids::{GateId, RunId, StepId};
use steadyhand_model::outcome::Settlement;

use super::incidents::Recalled;
use super::{Asked, Service, ServiceError};
use crate::driver::{MakeInput, TellError};

impl Service {
    async fn tell(
        &self,
        run: RunId,
        asked: Asked,
        make: MakeInput,
    ) -> Result<Response, ServiceError> {
        let answer = Recalled::Run(run.clone()).written()?;
        self.keeper().tell(&run, Some((asked.inbox, answer)), make).await?;
        Ok(Response::Run(Box::new(self.run_view(&run).await?)))
    }

    pub(crate) async fn approve(
        &self,
        run: RunId,
        gate: Option<GateId>,
        plan: &PlanRef,
        asked: Asked,
    ) -> Result<Response, ServiceError> {
        let plan = plan.clone();
        self.decide(run, gate, Some(plan), Decision::Approve, None, asked).await
    }

    pub(crate) async fn deny(
        &self,
        run: RunId,
        gate: Option<GateId>,
        reason: Option<String>,
        asked: Asked,
    ) -> Result<Response, ServiceError> {
        self.decide(run, gate, None, Decision::Deny, reason, asked).await
    }

    async fn decide(
        &self,
        run: RunId,
        gate: Option<GateId>,
        plan: Option<PlanRef>,
        decision: Decision,
        reason: Option<String>,
        asked: Asked,
    ) -> Result<Response, ServiceError> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|source| ServiceError::Random { source })?;
        let nonce: String = random.iter().map(|b| format!("{b:02x}")).collect();
        let caller = asked.caller.clone();
        let make = move |run: &Run, _now| {
            let digest = run.plan().digest();
            if let Some(plan) = &plan
                && !plan.names(digest)
            {
                return Err(TellError::OtherPlan { said: plan.to_string(), has: digest.short() });
            }
            let expires = if run.has_acted() { run.ends() } else { run.expires() };
            Ok(Input::Approval(Approval {
                by: caller.actor,
                evidence: caller.evidence,
                run: run.id().clone(),
                plan: digest,
                gate: gate.map_or_else(|| open_gate(run), Ok)?,
                decision,
                expires,
                nonce,
                team: None,
                reason,
            }))
        };
        self.tell(run, asked, Box::new(make)).await
    }

    pub(crate) async fn answer(
        &self,
        run: RunId,
        step: StepId,
        answer: Answer,
        asked: Asked,
    ) -> Result<Response, ServiceError> {
        let by = asked.caller.actor.clone();
        let make = move |run: &Run, _now| {
            let id = run.pending(run.fence()).into_iter().find_map(|e| match e.what {
                What::Ask { step: asked, .. } if asked == step => Some(e.id),
                _ => None,
            });
            Ok(Input::Answer(id.ok_or(TellError::NothingWaits)?, by, answer))
        };
        self.tell(run, asked, Box::new(make)).await
    }

    pub(crate) async fn settle(
        &self,
        run: RunId,
        step: Option<StepId>,
        settlement: Settlement,
        reason: String,
        asked: Asked,
    ) -> Result<Response, ServiceError> {
        let by = asked.caller.actor.clone();
        let make = move |run: &Run, _now| {
            let waiting: Vec<At> = run
                .pending(run.fence())
                .into_iter()
                .filter_map(|e| match e.what {
                    What::Settle { at, .. } => Some(at),
                    _ => None,
                })
                .filter(|at| step.as_ref().is_none_or(|step| at.step == *step))
                .collect();
            match waiting.as_slice() {
                [] => Err(TellError::NothingWaits),
                [at] => Ok(Input::Settle(at.clone(), by, settlement, reason)),
                several => {
                    let names: Vec<&str> = several.iter().map(|at| at.step.as_str()).collect();
                    Err(TellError::Several { names: names.join(", ") })
                }
            }
        };
        self.tell(run, asked, Box::new(make)).await
    }

    pub(crate) async fn cancel(
        &self,
        run: RunId,
        undo: bool,
        asked: Asked,
    ) -> Result<Response, ServiceError> {
        let by = asked.caller.actor.clone();
        let make =
            move |_run: &Run, _now| Ok(if undo { Input::Undo(by) } else { Input::Cancel(by) });
        self.tell(run, asked, Box::new(make)).await
    }

    pub(crate) async fn pause(&self, run: RunId, asked: Asked) -> Result<Response, ServiceError> {
        let by = asked.caller.actor.clone();
        self.tell(run, asked, Box::new(move |_run: &Run, _now| Ok(Input::Pause(by)))).await
    }

    /// Takes a run up again. A paused one goes on; one that nobody drives is driven here.
    pub(crate) async fn resume(
        self: &Arc<Self>,
        id: RunId,
        asked: Asked,
    ) -> Result<Response, ServiceError> {
        self.keeper().resume(&id).await?;
        let run = self.keeper().load(&id).await?;
        if run.paused().is_some() {
            let by = asked.caller.actor.clone();
            return self
                .tell(id, asked, Box::new(move |_run: &Run, _now| Ok(Input::Resume(by))))
                .await;
        }
        Ok(Response::Run(Box::new(self.run_view(&id).await?)))
    }

    /// Turns an unfinished run back. Of a finished one, plans a successor from its recorded undo calls.
    pub(crate) async fn undo(
        self: &Arc<Self>,
        id: RunId,
        asked: Asked,
    ) -> Result<Response, ServiceError> {
        let run = self.keeper().load(&id).await?;
        if run.outcome().is_some() {
            return self.undo_finished(&run, asked).await;
        }
        self.keeper().resume(&id).await?;
        self.cancel(id, true, asked).await
    }
}

fn open_gate(run: &Run) -> Result<GateId, TellError> {
    let open: Vec<GateId> = run
        .pending(run.fence())
        .into_iter()
        .filter_map(|e| match e.what {
            What::Await { gate, .. } => Some(gate),
            _ => None,
        })
        .collect();
    match open.as_slice() {
        [] => Err(TellError::NothingWaits),
        [gate] => Ok(gate.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|g| g.as_str()).collect();
            Err(TellError::Several { names: names.join(", ") })
        }
    }
}
