//! Flashes that go on without the client that began them, dumps, and plans: started once; any client may follow or cancel a job.

mod client_sink;
mod history;
mod planning;
mod work;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flasher_core::fetch::FetchRules;
use flasher_core::flash::Site;
use flasher_core::owner;
use flasher_core::{Flasher, Receipt};
use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tonic::Code;
use uuid::Uuid;

use self::history::follow;
pub(crate) use self::history::{Job, texts};
use self::planning::Planning;
use self::work::Work;
pub(crate) use self::work::{JobStart, Task};
use crate::claims::Claim;
use crate::failure::{CallFailure, CallResult};
use crate::notice::JobNotice;
use crate::order::JobOrder;
use crate::records::Records;
use crate::resource::DataSource;
use crate::results::Results;
use crate::uploads::Uploads;
use crate::value;

/// How long jobs may take to stop in good order.
const STOPPING: Duration = Duration::from_secs(120);

/// The last job of every board.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    last: Mutex<HashMap<Uuid, Arc<Job>>>,
    /// Changes when a job begins.
    begun: watch::Sender<()>,
    running: TaskTracker,
    records: Records,
    uploads: Uploads,
}

/// What a job is for.
pub(crate) struct JobBoard<'a> {
    pub(crate) node: Uuid,
    /// Who runs jobs here, for their receipts.
    pub(crate) site: &'a Site,
    pub(crate) flasher: &'a Arc<dyn Flasher>,
    /// What the board is to other processes.
    pub(crate) owner: &'a owner::Board,
}

/// What the plan of a flash needs besides its order.
pub(crate) struct PlanStart {
    /// Who makes it.
    pub(crate) site: Site,
    /// The files of the order, when it has any.
    pub(crate) sent: Option<DataSource>,
    /// What this client may have fetched.
    pub(crate) fetch: FetchRules,
    /// The board, which is this client's meanwhile.
    pub(crate) claim: Claim,
}

impl Jobs {
    pub(crate) fn new(records: Records) -> Self {
        Self { records, ..Self::default() }
    }

    /// Starts a job and follows it. Everything the flasher uses belongs to the job until it ends, and before its files come:
    /// who comes second is refused before it has sent anything.
    pub(crate) fn start(&self, board: JobBoard<'_>, start: JobStart) -> Results {
        let job = Arc::new(Job::new(start.task.label()));
        let work = Work {
            job: Arc::clone(&job),
            flasher: Arc::clone(board.flasher),
            site: board.site.clone(),
            owner: board.owner.clone(),
            fetch: start.fetch,
            uploads: self.uploads.clone(),
            records: self.records.clone(),
        };
        self.running.spawn(work.run(start.task, start.claim));
        self.last().insert(board.node, Arc::clone(&job));
        self.begun.send_replace(());
        follow(job)
    }

    /// Tells what a flash would do, once the files of its order are here. It is no job of the board: no other client can follow it, and it ends with
    /// the client.
    pub(crate) fn plan(&self, flasher: &Arc<dyn Flasher>, order: JobOrder, wanted: PlanStart) -> Results {
        let PlanStart { site, sent, fetch, claim } = wanted;
        let job = Arc::new(Job::new(order.label()));
        let planning = Planning {
            job: Arc::clone(&job),
            flasher: Arc::clone(flasher),
            site,
            fetch,
            uploads: self.uploads.clone(),
        };
        let given_up = job.stop.clone().drop_guard();
        self.running.spawn(planning.run(order, sent, claim));
        Box::pin(follow(job).inspect(move |_| _ = &given_up))
    }

    /// Follows the running job, or says that the last one is over and tells again how it went.
    pub(crate) fn attach(&self, node: Uuid) -> CallResult<Results> {
        let job = self.find(node)?;
        let over = job.is_over().then(|| Ok(value::text(JobNotice::JobOver.json())));
        Ok(Box::pin(stream::iter(over).chain(follow(job))))
    }

    /// The last job of a board, running or over.
    pub(crate) fn last_of(&self, node: Uuid) -> Option<Arc<Job>> {
        self.last().get(&node).cloned()
    }

    /// Changes whenever a job begins.
    pub(crate) fn beginnings(&self) -> watch::Receiver<()> {
        self.begun.subscribe()
    }

    /// Stops the running job in good order, and follows it to its end.
    pub(crate) fn cancel(&self, node: Uuid) -> CallResult<Results> {
        let job = self.find(node)?;
        if job.is_over() {
            let text = "no flash job is running, so none was stopped; `attach` tells how the last one ended";
            return Err(CallFailure::new(Code::Unknown, text));
        }
        job.stop.cancel();
        Ok(follow(job))
    }

    /// Where what clients send is kept meanwhile.
    pub(crate) fn uploads(&self) -> Uploads {
        self.uploads.clone()
    }

    /// Keeps the receipt of a job that its client waits for.
    pub(crate) async fn keep(&self, receipt: Receipt) {
        self.records.keep(receipt).await;
    }

    /// Whether any job is running.
    pub(crate) fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// Waits until no job is running.
    pub(crate) async fn idle(&self) {
        while self.is_busy() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Stops every job in good order and waits for its end.
    pub(crate) async fn stop(&self) {
        self.last().values().for_each(|job| job.stop.cancel());
        if tokio::time::timeout(STOPPING, self.idle()).await.is_err() {
            tracing::error!("a flash job did not stop within {} s", STOPPING.as_secs());
        }
    }

    fn find(&self, node: Uuid) -> CallResult<Arc<Job>> {
        let none =
            || CallFailure::new(Code::Unknown, "no flash job has run here since the exporter was started");
        self.last().get(&node).cloned().ok_or_else(none)
    }

    fn last(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Job>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
