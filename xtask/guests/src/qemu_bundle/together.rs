//! Work that is done for several architectures at the same time.

use anyhow::{Result, anyhow};

/// Does the same for several at once, each in a thread of its own.
pub(super) fn together<T: Sync, R: Send>(
    each: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = each.iter().map(|it| scope.spawn(move || work(it))).collect();
        let done = threads
            .into_iter()
            .map(|it| it.join().unwrap_or_else(|_| Err(anyhow!("the work for an architecture broke off"))));
        done.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_the_first_error_is_told() {
        assert_eq!(together(&[1, 2], |it| Ok(it * 2)).unwrap(), [2, 4]);
        let error = together(&[1, 2], |it| Err::<(), _>(anyhow!("no {it}"))).unwrap_err().to_string();
        assert_eq!(error, "no 1");
    }
}
