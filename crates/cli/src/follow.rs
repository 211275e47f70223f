//! Following a run in the first terminal: its lines as they come, its cards and questions, ctrl-c.
//!
//! The keeper drives; this only shows and asks. The first ctrl-c lets the call in flight finish and pauses the run,
//! the second leaves at once.

use std::time::{Duration, Instant};

use steadyhand_api::client::{ClientError, Watched, Watching};
use steadyhand_api::reference::RunRef;
use steadyhand_api::reply::WatchEvent;
use steadyhand_api::request::Request;
use steadyhand_api::view::{Need, RunPhase, RunView, StepStage, StepView};
use steadyhand_model::event::Answer;
use steadyhand_model::ids::{GateId, Seq, StepId};
use steadyhand_model::plan::Plan;
use steadyhand_model::time::{Span, Timestamp};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::prompt::{self, Choice};
use crate::screen::times::Lasted;
use crate::screen::{
    Item, Mark, Row, Screen, Words, card, changes, data, progress, run, say, story, why,
};
use crate::session::{Session, run_of};
use crate::terminal::{Terminal, Typed};
use crate::trouble::{CommandError, Trouble};

/// How often the line that is written over is written again.
const TICK: Duration = Duration::from_secs(1);

fn named(view: &RunView) -> RunRef {
    RunRef::Id(view.line.run.clone())
}

/// What this command may do about the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It drives: cards and questions are put to the terminal, and ctrl-c pauses the run.
    Drive {
        /// `--yes`: answers a `confirm` of a reversible plan, and nothing else.
        yes: bool,
    },
    /// It came to decide; ctrl-c only leaves.
    Decide,
    /// It touches nothing, and stays while others decide, as long as a keeper drives the run.
    Watch,
}

impl Manner {
    fn asks(self) -> bool {
        match self {
            Self::Drive { .. } | Self::Decide => true,
            Self::Watch => false,
        }
    }

    fn says_yes(self) -> bool {
        matches!(self, Self::Drive { yes: true })
    }

    fn pauses(self) -> bool {
        matches!(self, Self::Drive { .. })
    }
}

#[derive(Debug)]
pub(crate) struct Follower<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) terminal: &'a mut Terminal,
    pub(crate) manner: Manner,
    interrupts: Signal,
    interrupted: bool,
    /// What the run needed when that was last said.
    needed: Vec<Need>,
    /// The newest event whose line was shown.
    shown: Seq,
    last_at: Timestamp,
}

/// Why the following of a run stopped for a moment.
#[derive(Debug)]
enum Step {
    /// The run is like this now: look again.
    Again(Box<RunView>),
    /// Nothing more can be done from here.
    Stop(Box<RunView>),
}

/// What came of a question.
#[derive(Debug)]
enum Asked {
    Line(String),
    /// End of input, or ctrl-c: nobody answers here.
    Left,
    /// The run moved while the question stood.
    Elsewhere(Result<Watched, ClientError>),
}

impl<'a> Follower<'a> {
    pub(crate) fn new(
        session: &'a mut Session,
        terminal: &'a mut Terminal,
        manner: Manner,
    ) -> Result<Self, Trouble> {
        let interrupts =
            signal(SignalKind::interrupt()).map_err(|source| CommandError::Runtime { source })?;
        let last_at = Timestamp(0);
        Ok(Self {
            session,
            terminal,
            manner,
            interrupts,
            interrupted: false,
            needed: Vec::new(),
            shown: Seq(0),
            last_at,
        })
    }

    /// Follows the run until it has ended, or waits for somebody who is not here.
    pub(crate) async fn follow(mut self, view: RunView) -> Result<RunView, Trouble> {
        let mut view = Box::new(view);
        loop {
            self.catch_up(&view)?;
            let step = match view.line.phase {
                RunPhase::Finished(_) => Step::Stop(view),
                _ if self.manner == Manner::Watch && view.line.driven => self.look_on(view).await?,
                _ => match view.line.needs.first().cloned() {
                    Some(Need::Decision { gate, from, .. }) => {
                        self.decide(view, &gate, from.is_none()).await?
                    }
                    Some(Need::Answer { step, question, answers, .. }) => {
                        self.question(view, &step, &question, &answers).await?
                    }
                    Some(Need::Settlement { .. } | Need::Resume { .. } | Need::Release { .. }) => {
                        Step::Stop(view)
                    }
                    None if view.line.driven => self.watch(view).await?,
                    None => Step::Stop(view),
                },
            };
            match step {
                Step::Again(next) => view = next,
                Step::Stop(end) => {
                    self.terminal.close()?;
                    return Ok(*end);
                }
            }
        }
    }

    /// Shows what the view tells that was not shown yet.
    fn catch_up(&mut self, view: &RunView) -> Result<(), Trouble> {
        for told in &view.told {
            if told.seq > self.shown {
                self.tell(told.seq, told.at, &told.event)?;
            }
        }
        self.shown = self.shown.max(view.head);
        Ok(())
    }

    fn tell(
        &mut self,
        seq: Seq,
        at: Timestamp,
        event: &steadyhand_model::canonical::CanonicalJson,
    ) -> Result<(), Trouble> {
        let since = if self.last_at == Timestamp(0) { Span::ZERO } else { at.since(self.last_at) };
        self.shown = seq;
        self.last_at = at;
        if !self.terminal.is_live() {
            return Ok(());
        }
        if let Some(line) = story::tell(event) {
            self.terminal.line(line.line(data(Lasted(since))))?;
        }
        Ok(())
    }

    async fn refresh(&mut self, view: &RunView) -> Result<Box<RunView>, Trouble> {
        Ok(Box::new(self.session.show(named(view)).await?))
    }

    /// Puts the card to a person, as far as one is here.
    async fn decide(
        &mut self,
        view: Box<RunView>,
        gate: &GateId,
        confirms: bool,
    ) -> Result<Step, Trouble> {
        let plan = view.plan.open().map_err(|source| CommandError::Plan { source })?;
        let reversible = plan.body().reversible();
        if self.manner.says_yes() && confirms && reversible {
            return self.approve(&view, gate, &plan).await;
        }
        if !self.terminal.is_quiet() {
            self.terminal.show(&card::screen(&view, &plan, gate))?;
        }
        if !(self.manner.asks() && self.terminal.asks()) {
            return Ok(Step::Stop(view));
        }
        let name = (!reversible).then(|| view.line.subject.clone());
        let mut watching = self.session.watch(view.line.run.clone(), view.head.next()).await?;
        loop {
            let line = match self.ask(&prompt::card(name.as_deref()), &mut watching).await? {
                Asked::Line(line) => line,
                Asked::Left => return self.leave(view),
                Asked::Elsewhere(watched) => return self.elsewhere(&view, watched).await,
            };
            match prompt::choice(&line, name.as_deref()) {
                Choice::Approve => return self.approve(&view, gate, &plan).await,
                Choice::Deny { reason } => {
                    let request =
                        Request::Deny { run: named(&view), gate: Some(gate.clone()), reason };
                    let answer = self.session.change(request).await;
                    return self.decided(&view, answer.and_then(run_of)).await;
                }
                Choice::Diff => self.terminal.show(&changes::screen(&plan))?,
                Choice::Why => self.terminal.show(&why::screen(&view.plan, &plan))?,
                Choice::Leave => return self.leave(view),
                Choice::Again => {}
            }
        }
    }

    /// Asks for one line, as long as nothing happens to the run meanwhile.
    async fn ask(&mut self, question: &Screen, watching: &mut Watching) -> Result<Asked, Trouble> {
        self.terminal.forget();
        self.terminal.prompt(question)?;
        loop {
            let watched = tokio::select! {
                typed = self.terminal.answer() => return Ok(match typed {
                    Typed::Line(line) => Asked::Line(line),
                    Typed::End => Asked::Left,
                }),
                _ = self.interrupts.recv() => return Ok(Asked::Left),
                watched = watching.next() => watched,
            };
            if !matches!(watched, Ok(Watched::Note { .. })) {
                return Ok(Asked::Elsewhere(watched));
            }
        }
    }

    /// Repeats the whole digest of the plan that was shown.
    async fn approve(
        &mut self,
        view: &RunView,
        gate: &GateId,
        plan: &Plan,
    ) -> Result<Step, Trouble> {
        let request = Request::Approve {
            run: named(view),
            gate: Some(gate.clone()),
            plan: plan.digest().into(),
        };
        let answer = self.session.change(request).await;
        self.decided(view, answer.and_then(run_of)).await
    }

    /// A decision that the keeper did not take is shown, and the run is looked at again.
    async fn decided(
        &mut self,
        view: &RunView,
        answer: Result<RunView, Trouble>,
    ) -> Result<Step, Trouble> {
        match answer {
            Ok(next) => Ok(Step::Again(Box::new(next))),
            Err(trouble)
                if self.manner.asks() && self.terminal.asks() && !self.manner.says_yes() =>
            {
                self.terminal.show(&crate::screen::problem::screen(&trouble))?;
                Ok(Step::Again(self.refresh(view).await?))
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Something happened while a person was being asked.
    async fn elsewhere(
        &mut self,
        view: &RunView,
        watched: Result<Watched, ClientError>,
    ) -> Result<Step, Trouble> {
        self.terminal.line(Item::text(Words::new()))?;
        match watched {
            Ok(Watched::Event(_) | Watched::Note { .. } | Watched::End(_)) => {
                Ok(Step::Again(self.refresh(view).await?))
            }
            Err(ClientError::Lost) => self.take_up(view).await,
            Err(error) => Err(Trouble::of_client(&error, None)),
        }
    }

    fn leave(&mut self, view: Box<RunView>) -> Result<Step, Trouble> {
        self.terminal.line(Item::text(Words::new()))?;
        self.terminal.line(Item::text(say("Left waiting. Nothing was decided.")))?;
        Ok(Step::Stop(view))
    }

    async fn question(
        &mut self,
        view: Box<RunView>,
        step: &StepId,
        question: &str,
        answers: &[Answer],
    ) -> Result<Step, Trouble> {
        if !(self.manner.asks() && self.terminal.asks()) {
            return Ok(Step::Stop(view));
        }
        let head = Words::new().mark(Mark::Careful).say(" ").data(step);
        self.terminal.line(Item::text(data(question)).indent(2).head(head, 14))?;
        let mut watching = self.session.watch(view.line.run.clone(), view.head.next()).await?;
        loop {
            let line = match self.ask(&prompt::question(answers), &mut watching).await? {
                Asked::Line(line) => line,
                Asked::Left => return self.leave(view),
                Asked::Elsewhere(watched) => return self.elsewhere(&view, watched).await,
            };
            if let Some(answer) = prompt::answer(&line, answers) {
                let request = Request::Answer {
                    run: named(&view),
                    step: step.clone(),
                    answer: answer.clone(),
                };
                let answer = self.session.change(request).await;
                return self.decided(&view, answer.and_then(run_of)).await;
            }
            if line == "q" {
                return self.leave(view);
            }
        }
    }

    /// Watches on, and says once what the run needs.
    async fn look_on(&mut self, view: Box<RunView>) -> Result<Step, Trouble> {
        if !view.line.needs.is_empty() && self.needed != view.line.needs {
            self.needed.clone_from(&view.line.needs);
            self.terminal.show(&progress::screen(&view))?;
        }
        self.watch(view).await
    }

    /// Shows what happens until the run needs somebody, or has ended.
    async fn watch(&mut self, view: Box<RunView>) -> Result<Step, Trouble> {
        let mut watching = self.session.watch(view.line.run.clone(), view.head.next()).await?;
        let mut steps = view.steps.clone();
        let mut seen = (view.now, Instant::now());
        let mut note: Option<String> = None;
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                biased;
                _ = self.interrupts.recv() => {
                    if let Some(step) = self.interrupt(&view).await? {
                        return Ok(step);
                    }
                }
                watched = watching.next() => match watched {
                    Ok(Watched::Event(event)) => {
                        seen = (event.at, Instant::now());
                        note = None;
                        if self.event(&event, &mut steps)? {
                            return Ok(Step::Again(self.refresh(&view).await?));
                        }
                    }
                    Ok(Watched::Note { text, .. }) => note = Some(text),
                    Ok(Watched::End(_)) => return Ok(Step::Again(self.refresh(&view).await?)),
                    Err(ClientError::Lost) => return self.take_up(&view).await,
                    Err(error) => return Err(Trouble::of_client(&error, None)),
                },
                _ = tick.tick(), if self.terminal.is_live() => {
                    let (at, when) = seen;
                    let passed = u64::try_from(when.elapsed().as_millis()).unwrap_or(u64::MAX);
                    let now = at.plus(Span::from_millis(passed));
                    if let Some(line) = progress::current(&steps, now, note.as_deref()) {
                        self.terminal.over(&line)?;
                    }
                }
            }
        }
    }

    /// Shows one event. Says whether the run may need somebody now.
    fn event(&mut self, event: &WatchEvent, steps: &mut [StepView]) -> Result<bool, Trouble> {
        self.tell(event.seq, event.at, &event.event)?;
        let at = run::facts_at(steps);
        let mut rests = !matches!(event.phase, RunPhase::Running);
        for changed in &event.changed {
            rests |= matches!(
                changed.stage,
                StepStage::Gate | StepStage::Asking { .. } | StepStage::Person { .. }
            );
            if let Some(step) = steps.iter_mut().find(|step| step.step == changed.step) {
                let worth = progress::is_worth_a_line(changed) && step.stage != changed.stage;
                *step = changed.clone();
                if worth && !self.terminal.is_live() && !self.terminal.is_quiet() {
                    self.terminal.line(run::line(changed, event.at, at))?;
                }
            }
        }
        Ok(rests)
    }

    /// The first time the run is paused and followed to that end, the second time this process leaves.
    async fn interrupt(&mut self, view: &RunView) -> Result<Option<Step>, Trouble> {
        if !self.manner.pauses() {
            let view = self.refresh(view).await?;
            return Ok(Some(Step::Stop(view)));
        }
        if std::mem::replace(&mut self.interrupted, true) {
            return Err(CommandError::Interrupted.into());
        }
        let mut screen = Screen::new();
        // The terminal has echoed the key into the line.
        screen.push(Row::Blank);
        screen.text(say(
            "Ctrl-c: the call in flight ends, then the run pauses. Again: leave at once.",
        ));
        self.terminal.show(&screen)?;
        let request = Request::Pause { run: named(view) };
        let paused = tokio::select! {
            answer = self.session.change(request) => run_of(answer?)?,
            _ = self.interrupts.recv() => return Err(CommandError::Interrupted.into()),
        };
        self.catch_up(&paused)?;
        Ok(Some(Step::Again(Box::new(paused))))
    }

    /// The keeper is gone: a command that drives becomes the keeper and takes the run up where it was.
    async fn take_up(&mut self, view: &RunView) -> Result<Step, Trouble> {
        self.session.renew().await?;
        let run = named(view);
        if !self.session.drives() {
            return Ok(Step::Stop(self.refresh(view).await?));
        }
        let mut screen = Screen::new();
        screen.text(say(
            "The keeper that drove this run is gone. It is taken up here; nothing is sent again.",
        ));
        self.terminal.show(&screen)?;
        let taken = run_of(self.session.change(Request::Resume { run }).await?)?;
        Ok(Step::Again(Box::new(taken)))
    }
}
