//! Commands that go from one board or exporter to the next: what each has to say stands behind its name, and one that fails does not stop the others.

use flasher_core::{CancellationToken, Error};

use super::boards::{ChosenBoard, OpenedExporter, Reached, again};
use crate::args::Args;
use crate::args::python::PythonOption;
use crate::commands::doctor::{self, Machine};
use crate::commands::flash::args::FlashArgs;
use crate::commands::plan as one_plan;
use crate::commands::power::{self, PowerAction};
use crate::commands::remote::{self, RemoteBoard};
use crate::failure::Failure;
use crate::job;
use crate::screen::Screen;
use crate::signals;

/// Boards, and the exporters they are at.
type Boards<'a> = (&'a [OpenedExporter], &'a [ChosenBoard]);

/// Prints the plan of each board; the exit code is that of the worst.
pub(super) async fn plan(
    args: &FlashArgs,
    (places, boards): Boards<'_>,
    screen: &Screen,
) -> Result<u8, Failure> {
    if args.detach {
        return Err(Error::config("`--detach` has no effect on a plan").help("leave it out").into());
    }
    let mut worst = 0;
    for board in boards {
        let screen = screen.about(&board.name);
        let planned = match &places[board.place].reached {
            Reached::Here(tree) => one_plan::make(args, tree, board.path.as_deref()).await,
            Reached::Elsewhere(client) => match client.board(board.path.as_deref()) {
                Ok(node) => {
                    let board = RemoteBoard { client: client.as_ref().clone(), board: node };
                    let mut job = job::flash_job(args, CancellationToken::new())?;
                    job.transcript = None;
                    remote::plan_on(&board, job, args.variant.clone(), &screen).await
                }
                Err(error) => Err(error),
            },
            Reached::Not(error) => Err(again(error)),
        };
        match planned {
            Ok(planned) => one_plan::show(planned, &screen)?,
            Err(error) => worst = worst.max(screen.fail(&error.into())),
        }
    }
    Ok(worst)
}

/// Switches or measures each board's power; the exit code is that of the worst.
pub(super) async fn power(
    (action, force): (&PowerAction, bool),
    (places, boards): Boards<'_>,
    python: &PythonOption,
    screen: &Screen,
) -> Result<u8, Failure> {
    let one = async |board: &ChosenBoard| {
        let screen = screen.about(&board.name);
        let switched = match &places[board.place].reached {
            Reached::Here(tree) => {
                let node = (board.path.as_deref(), force);
                power::switch_or_measure(action, node, (tree, python), &screen).await
            }
            Reached::Elsewhere(client) => {
                let (tree, node) = (client.tree(), (board.path.as_deref(), force));
                power::switch_or_measure(action, node, (&tree, python), &screen).await
            }
            Reached::Not(error) => Err(again(error).into()),
        };
        switched.map_or_else(|failure| screen.fail(&failure), |()| 0)
    };
    let all = async { Ok(futures_util::future::join_all(boards.iter().map(one)).await) };
    Ok(signals::interruptible(all).await?.into_iter().max().unwrap_or(0))
}

/// Looks at each exporter; the exit code is that of the worst.
pub(super) async fn doctor(args: &Args, screen: &Screen) -> Result<u8, Failure> {
    let mut worst = 0;
    let machine = if args.remote.is_elsewhere() { Machine::Elsewhere } else { Machine::This };
    for OpenedExporter { name, reached } in super::boards::places(args).await? {
        let screen = screen.about(&name);
        let looked = match reached {
            Reached::Here(tree) => doctor::look_at(&tree, &args.python, machine, &screen).await,
            Reached::Elsewhere(client) => {
                doctor::look_at(&client.tree(), &args.python, machine, &screen).await
            }
            Reached::Not(error) => Err(again(&error).into()),
        };
        let code = looked.unwrap_or_else(|failure| screen.fail(&failure));
        worst = worst.max(code);
    }
    Ok(worst)
}
