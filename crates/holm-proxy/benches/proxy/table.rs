//! Medians, ranges and ratios.

/// The name of a figure, and how it is printed.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) digits: usize,
}

/// Samples by target, in the order of first appearance.
pub(crate) struct Table {
    columns: &'static [Column],
    rows: Vec<(&'static str, Vec<Vec<f64>>)>,
}

impl Table {
    pub(crate) const fn new(columns: &'static [Column]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// One run of one target; a figure that it cannot have is not a number.
    pub(crate) fn add(&mut self, name: &'static str, sample: Vec<f64>) {
        assert_eq!(sample.len(), self.columns.len());
        match self.rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, samples)) => samples.push(sample),
            None => self.rows.push((name, vec![sample])),
        }
    }

    /// Prints it; ratios are to the first target whose name begins with `base`.
    pub(crate) fn print(&self, base: &str) {
        print!("{:<24}", "target");
        for column in self.columns {
            print!(" {:>28} {:>6}", format!("{} (min-max)", column.name), "ratio");
        }
        println!();
        let base = self.rows.iter().find(|(name, _)| name.starts_with(base));
        for (name, samples) in &self.rows {
            print!("{name:<24}");
            for (nth, Column { digits, .. }) in self.columns.iter().enumerate() {
                let (least, median, most) = spread(samples, nth);
                if median.is_nan() {
                    print!(" {:>28} {:>6}", "-", "-");
                    continue;
                }
                let ratio = base.map_or(f64::NAN, |(_, samples)| median / spread(samples, nth).1);
                let ratio = if ratio.is_finite() { format!("{ratio:.2}") } else { "-".to_owned() };
                print!(" {:>28} {ratio:>6}", format!("{median:.digits$} ({least:.digits$}-{most:.digits$})"));
            }
            println!();
        }
        if let Some((name, _)) = base {
            println!("ratio: to `{name}`");
        }
    }
}

/// Least, median, most.
fn spread(samples: &[Vec<f64>], nth: usize) -> (f64, f64, f64) {
    let mut figures: Vec<f64> = samples.iter().map(|sample| sample[nth]).collect();
    figures.sort_by(f64::total_cmp);
    (figures[0], figures[figures.len() / 2], figures[figures.len() - 1])
}

/// The value below which so many of a hundred are.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len() * percent / 100).min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
