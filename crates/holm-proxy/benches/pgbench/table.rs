//! Medians, ranges and ratios.

/// One run of one target.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// Transactions per second.
    pub(crate) tps: f64,
    /// The proxy's CPU per transaction in microseconds; zero without a proxy.
    pub(crate) cpu_us: f64,
}

/// Samples by target, in the order of first appearance; the first proxy is what the others are compared with.
#[derive(Default)]
pub(crate) struct Table(Vec<(&'static str, Vec<Sample>)>);

impl Table {
    pub(crate) fn add(&mut self, name: &'static str, sample: Sample) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, samples)) => samples.push(sample),
            None => self.0.push((name, vec![sample])),
        }
    }

    pub(crate) fn print(&self) {
        println!("{:<22} {:>28} {:>7} {:>26} {:>7}", "target", "tps (min-max)", "ratio", "CPU us/tx (min-max)", "ratio");
        let base = self.0.iter().find(|(_, samples)| samples.iter().any(|sample| sample.cpu_us > 0.0));
        let base = base.map(|(_, samples)| (spread(samples, |s| s.tps).1, spread(samples, |s| s.cpu_us).1));
        for (name, samples) in &self.0 {
            let (tps, cpu) = (spread(samples, |s| s.tps), spread(samples, |s| s.cpu_us));
            let (tps_ratio, cpu_ratio) = base.map_or((1.0, 1.0), |(t, c)| (t / tps.1, if cpu.1 > 0.0 { c / cpu.1 } else { 0.0 }));
            let tps = format!("{:.0} ({:.0}-{:.0})", tps.1, tps.0, tps.2);
            let cpu = format!("{:.1} ({:.1}-{:.1})", cpu.1, cpu.0, cpu.2);
            println!("{name:<22} {tps:>28} {tps_ratio:>7.2} {cpu:>26} {cpu_ratio:>7.2}");
        }
        println!("ratio: the first proxy's figure divided by this one's");
    }
}

/// Least, median, most.
fn spread(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> (f64, f64, f64) {
    let mut figures: Vec<f64> = samples.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    (figures[0], figures[figures.len() / 2], figures[figures.len() - 1])
}
