//! The time of an environment: the wall clock, or the clock of a practice world that jumps over idle time.
//!
//! The engine sees only `now`. Whoever works holds a [`Busy`]; whoever sleeps gives it up. The practice clock jumps
//! to the next sleeper when nobody works and no person is waited for, and goes 1:1 otherwise.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use steadyhand_model::time::{Span, Timestamp};
use tokio::sync::oneshot;

/// A clock. Two implementations: the system's, and a practice world's.
pub trait Clock: Send + Sync + std::fmt::Debug {
    fn now(&self) -> Timestamp;

    /// Gives up the caller's guard and completes when `now` has reached `until`, with the sleeper at work again. The
    /// guard is given up only once the sleeper is known, and taken before it wakes: no jump can come between.
    fn sleep_until(&self, busy: Busy, until: Timestamp) -> BoxFuture<'static, Busy>;

    /// Says that somebody works until the guard is dropped.
    fn busy(&self) -> Busy;

    /// Says how many runs wait for a person.
    fn people_waited_for(&self, runs: usize);

    /// A practice server said how long its answer would have taken.
    fn passes(&self, span: Span);

    /// A journal or a world has seen this time: a practice clock is never earlier.
    fn not_before(&self, at: Timestamp);
}

/// Somebody works: the practice clock does not jump meanwhile.
#[derive(Debug)]
pub struct Busy(Option<Arc<Shared>>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            let mut state = shared.lock();
            state.busy = state.busy.saturating_sub(1);
            state.jump(&shared);
        }
    }
}

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        wall()
    }

    fn sleep_until(&self, busy: Busy, until: Timestamp) -> BoxFuture<'static, Busy> {
        Box::pin(async move {
            // A wall clock may be set back meanwhile: look again after each sleep.
            while wall() < until {
                tokio::time::sleep(real(until.since(wall()))).await;
            }
            busy
        })
    }

    fn busy(&self) -> Busy {
        Busy(None)
    }

    fn people_waited_for(&self, _runs: usize) {}

    fn passes(&self, _span: Span) {}

    fn not_before(&self, _at: Timestamp) {}
}

/// Now, by the wall clock. A clock before 1970 reads as 1970.
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn real(span: Span) -> Duration {
    // One millisecond more: `since` cuts fractions off, and a sleep of zero would spin.
    Duration::from_millis(span.millis().saturating_add(1))
}

/// The clock of practice worlds.
#[derive(Debug, Clone)]
pub struct PracticeClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Guards a handful of numbers; never held over an await.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Practice time at `anchor`; from there on it goes 1:1.
    base: Timestamp,
    anchor: Instant,
    busy: usize,
    people: usize,
    next_id: u64,
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<Busy>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.anchor.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.base.0.saturating_add(passed))
    }

    fn set(&mut self, now: Timestamp) {
        self.base = now;
        self.anchor = Instant::now();
    }

    /// Wakes whoever's time has come; jumps to the first sleeper if nobody would notice.
    fn jump(&mut self, shared: &Arc<Shared>) {
        if self.busy == 0
            && self.people == 0
            && let Some(((until, _), _)) = self.sleepers.first_key_value()
        {
            let until = (*until).max(self.now());
            self.set(until);
        }
        self.wake(shared);
    }

    fn wake(&mut self, shared: &Arc<Shared>) {
        let now = self.now();
        while let Some(entry) = self.sleepers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let (_, waker) = entry.remove_entry();
            self.busy += 1;
            if let Err(mut unheard) = waker.send(Busy(Some(Arc::clone(shared)))) {
                // Nobody waits there any more. Its guard must not be dropped here: that would lock again.
                unheard.0 = None;
                self.busy = self.busy.saturating_sub(1);
            }
        }
    }
}

impl PracticeClock {
    /// A clock that continues from `start`.
    pub fn new(start: Timestamp) -> Self {
        let state = State {
            base: start,
            anchor: Instant::now(),
            busy: 0,
            people: 0,
            next_id: 0,
            sleepers: BTreeMap::new(),
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state) }) }
    }
}

/// Forgets a sleeper that is no longer waited for.
struct Sleeper {
    shared: Arc<Shared>,
    key: (Timestamp, u64),
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.shared.lock().sleepers.remove(&self.key);
    }
}

impl Clock for PracticeClock {
    fn now(&self) -> Timestamp {
        self.shared.lock().now()
    }

    fn sleep_until(&self, busy: Busy, until: Timestamp) -> BoxFuture<'static, Busy> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let mut given_up = Some(busy);
            loop {
                let (woken, key, left) = {
                    let mut state = shared.lock();
                    let now = state.now();
                    if now >= until {
                        if let Some(busy) = given_up.take() {
                            return busy;
                        }
                        state.busy += 1;
                        return Busy(Some(Arc::clone(&shared)));
                    }
                    let (sender, receiver) = oneshot::channel();
                    let key = (until, state.next_id);
                    state.next_id += 1;
                    state.sleepers.insert(key, sender);
                    if let Some(mut busy) = given_up.take()
                        && busy.0.take().is_some()
                    {
                        state.busy = state.busy.saturating_sub(1);
                    }
                    state.jump(&shared);
                    (receiver, key, until.since(now))
                };
                let sleeper = Sleeper { shared: Arc::clone(&shared), key };
                // Either a jump wakes it, or the time passes 1:1 because somebody is waited for.
                tokio::select! {
                    biased;
                    Ok(busy) = woken => return busy,
                    () = tokio::time::sleep(real(left)) => {}
                }
                drop(sleeper);
            }
        })
    }

    fn busy(&self) -> Busy {
        self.shared.lock().busy += 1;
        Busy(Some(Arc::clone(&self.shared)))
    }

    fn people_waited_for(&self, runs: usize) {
        let mut state = self.shared.lock();
        // Time goes on from here at the other pace.
        let now = state.now();
        state.set(now);
        state.people = runs;
        state.jump(&self.shared);
    }

    fn passes(&self, span: Span) {
        let mut state = self.shared.lock();
        let now = state.now().plus(span);
        state.set(now);
        state.wake(&self.shared);
    }

    fn not_before(&self, at: Timestamp) {
        let mut state = self.shared.lock();
        if state.now() < at {
            state.set(at);
            state.wake(&self.shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn idle_time_is_jumped_over_and_work_is_not() {
        let clock = PracticeClock::new(Timestamp(1_000_000));
        let hour = Timestamp(3_600_000_000);
        let woken = clock.sleep_until(clock.busy(), hour).await;
        assert!(clock.now() >= hour);
        let day = Timestamp(86_400_000_000);
        let mut sleeper = clock.sleep_until(clock.busy(), day);
        assert!(futures_util::future::FutureExt::now_or_never(&mut sleeper).is_none());
        assert!(clock.now() < day, "somebody works: no jump");
        drop(woken);
        drop(sleeper.await);
        assert!(clock.now() >= day);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_person_is_waited_for_at_their_own_pace() {
        let clock = PracticeClock::new(Timestamp(0));
        clock.people_waited_for(1);
        let hour = Timestamp(3_600_000_000);
        let mut sleeper = clock.sleep_until(clock.busy(), hour);
        assert!(futures_util::future::FutureExt::now_or_never(&mut sleeper).is_none());
        assert!(clock.now() < hour);
        clock.people_waited_for(0);
        drop(sleeper.await);
        assert!(clock.now() >= hour);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn two_sleepers_wake_in_order_and_one_at_a_time() {
        let clock = PracticeClock::new(Timestamp(0));
        let work = clock.busy();
        let (first, second) = (Timestamp(60_000_000), Timestamp(120_000_000));
        let late = tokio::spawn(clock.sleep_until(clock.busy(), second));
        let early = clock.sleep_until(work, first);
        let woken = early.await;
        assert!(
            clock.now() >= first && clock.now() < second,
            "the later one waits while the first works"
        );
        drop(woken);
        drop(late.await.unwrap());
        assert!(clock.now() >= second);
    }
}
