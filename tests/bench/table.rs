//! The table at the end: each measure, what it is compared with, and whether the goal is met.

use std::fmt;

#[derive(Default)]
pub struct Table(Vec<Row>);

struct Row {
    measure: &'static str,
    against: &'static str,
    figures: Result<Figures, String>,
}

struct Figures {
    ours: String,
    theirs: String,
    ratio: f64,
    goal: Goal,
}

#[derive(Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// One measure of both sides, taken in turns.
#[derive(Default)]
pub struct Rounds {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Rounds {
    /// Measures both sides this many times, in turns, so that other load on the machine affects
    /// both.
    pub async fn taken(
        count: usize,
        mut ours: impl AsyncFnMut() -> f64,
        mut theirs: impl AsyncFnMut() -> f64,
    ) -> Self {
        let mut rounds = Self::default();
        for _ in 0..count {
            rounds.add(ours().await, theirs().await);
        }
        rounds
    }

    pub fn add(&mut self, ours: f64, theirs: f64) {
        self.ours.push(ours);
        self.theirs.push(theirs);
    }
}

impl Table {
    /// Enters the medians of both sides, and the median of the rounds' ratios.
    pub fn enter(
        &mut self,
        measure: &'static str,
        against: &'static str,
        unit: &'static str,
        rounds: &Rounds,
        goal: Goal,
    ) {
        let ratios = rounds
            .ours
            .iter()
            .zip(&rounds.theirs)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        let figure = |values: &[f64]| format!("{} {unit}", short(median(values.to_vec())));
        let (ours, theirs) = (figure(&rounds.ours), figure(&rounds.theirs));
        self.push(Row {
            measure,
            against,
            figures: Ok(Figures {
                ours,
                theirs,
                ratio: median(ratios),
                goal,
            }),
        });
    }

    /// Enters that a measure was skipped, and why.
    pub fn skip(&mut self, measure: &'static str, against: &'static str, why: impl Into<String>) {
        self.push(Row {
            measure,
            against,
            figures: Err(why.into()),
        });
    }

    fn push(&mut self, row: Row) {
        eprintln!("    {row}");
        self.0.push(row);
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

/// The value that 99 of 100 do not exceed.
pub fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * 99).div_ceil(100) - 1]
}

/// Writes three significant digits. Millions have a unit of their own.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e4 => format!("{:.1} k", v / 1e3),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| measure | against | ours | theirs | ratio | goal | |\n|---|---|---|---|---|---|---|"
        )?;
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row {
            measure,
            against,
            figures,
        } = self;
        match figures {
            Ok(Figures {
                ours,
                theirs,
                ratio,
                goal,
            }) => {
                let (sign, limit, met) = match goal {
                    Goal::AtLeast(limit) => ("≥", limit, ratio >= limit),
                    Goal::AtMost(limit) => ("≤", limit, ratio <= limit),
                };
                let verdict = if met { "met" } else { "missed" };
                write!(
                    f,
                    "| {measure} | {against} | {ours} | {theirs} | {ratio:.2} | {sign} {limit} | {verdict} |"
                )
            }
            Err(why) => write!(f, "| {measure} | {against} | | | | | skipped: {why} |"),
        }
    }
}
