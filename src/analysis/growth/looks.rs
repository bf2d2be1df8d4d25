//! Asking for the verdict while the tasks go on.
//!
//! Who looks again and again until an answer is certain will be certain too
//! often: each look is one more chance of an error. So a check looks at counts of
//! tasks that grow by a third, which keeps the looks few, and each look is
//! allowed an equal part of the error (Bonferroni; a group-sequential plan after
//! Pocock, "Group sequential methods in the design and analysis of clinical
//! trials", 1977, with the bound that holds under any dependence of the looks).

/// The first count of tasks at which a check looks.
pub const FIRST_LOOK: usize = 8;

/// So many looks there are up to 115 tasks; with them the error of all looks
/// together is at most that of one.
pub const LOOKS: u32 = 10;

/// The count of tasks of the look after one at `tasks`: a third more.
pub fn next_look(tasks: usize) -> usize {
    (tasks * 4).div_ceil(3).max(FIRST_LOOK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_few() {
        let mut looks = vec![FIRST_LOOK];
        while looks.len() < LOOKS as usize {
            looks.push(next_look(looks[looks.len() - 1]));
        }
        assert_eq!(looks, [8, 11, 15, 20, 27, 36, 48, 64, 86, 115]);
    }
}
