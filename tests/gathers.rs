//! The gradient of a gather, with few picks and small tables and with many and large ones, against
//! plain sums on the host.

mod common;

use common::{assert_close, gpu};
use keraunos::DType;
use keraunos::base::{Shape, Spec};
use keraunos::graph::{Graph, Value};
use keraunos::program::{Options, Program};
use keraunos::runtime::{Compiled, Device};
use keraunos::tensor::Tensor;

/// A table and what is picked from it along `axis`.
struct Case {
    table: &'static [usize],
    axis: usize,
    picks: usize,
}

impl Case {
    /// The row of each pick; some lie outside the table and count for its first or last row.
    fn picked(&self) -> Vec<i32> {
        let rows = self.table[self.axis] as i64;
        (0..self.picks as i64).map(|i| (i * i * 7919 % (rows + 5)) as i32 - 2).collect()
    }

    /// Extents before and behind the axis.
    fn around(&self) -> [usize; 2] {
        [&self.table[..self.axis], &self.table[self.axis + 1..]].map(|d| d.iter().product())
    }

    /// The gradient of what was picked: another number for each element, exact in every dtype.
    fn weights(&self) -> Vec<f32> {
        let [outer, inner] = self.around();
        (0..outer * self.picks * inner).map(|i| (i * 37 % 101) as f32 * 0.0625 - 3.0).collect()
    }

    fn expected(&self) -> Tensor {
        let [outer, inner] = self.around();
        let rows = self.table[self.axis];
        let mut sums = vec![0.0f64; outer * rows * inner];
        for (at, weight) in self.weights().into_iter().enumerate() {
            let (o, pick, i) = (at / inner / self.picks, at / inner % self.picks, at % inner);
            let row = self.picked()[pick].clamp(0, rows as i32 - 1) as usize;
            sums[(o * rows + row) * inner + i] += f64::from(weight);
        }
        let sums: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();
        Tensor::new(self.table, &sums).unwrap()
    }

    /// The program that takes the table, the picks and the weights.
    fn program(&self, dtype: DType) -> Program {
        let graph = Graph::new();
        let table = graph.input(Spec::new(self.table, dtype));
        let picks = graph.input(Spec::new([self.picks], DType::Int32));
        let picked = table.gather(picks, self.axis);
        let weights = graph.input(Spec::new(picked.shape(), dtype));
        let all: Vec<usize> = (0..picked.shape().rank()).collect();
        let loss = (picked * weights).sum(&all);
        let gradient: Value<'_> = graph.grad(loss, &[table]).unwrap()[0].unwrap();
        let output = gradient.id();
        Program::new(graph.finish().unwrap(), &[output])
    }

    fn check(&self, device: &Device, dtype: DType, tolerance: f64) {
        let picked = Shape::from(self.table).with(self.axis, self.picks);
        let inputs = [
            Tensor::new(self.table, &vec![0.0f32; self.table.iter().product()])
                .unwrap()
                .cast(dtype),
            Tensor::new([self.picks], &self.picked()).unwrap(),
            Tensor::new(picked, &self.weights()).unwrap().cast(dtype),
        ];
        let plan = Compiled::new(self.program(dtype), device, &Options::default(), &mut |_, _| {})
            .unwrap();
        let what = format!("{:?} axis {} {dtype:?} on {device}", self.table, self.axis);
        let found = plan.run(&inputs).unwrap().remove(0);
        assert_close(&found.cast(DType::Float32), &self.expected(), tolerance, &what);
        assert_eq!(found.bytes(), plan.run(&inputs).unwrap()[0].bytes(), "again: {what}");
    }
}

const CASES: [Case; 6] = [
    Case { table: &[7, 3], axis: 0, picks: 20 },
    Case { table: &[2, 6, 3], axis: 1, picks: 5 },
    // Sorted: more than 2^18 comparisons.
    Case { table: &[400, 5], axis: 0, picks: 300 },
    Case { table: &[3, 500, 2], axis: 1, picks: 777 },
    Case { table: &[4, 5000], axis: 1, picks: 1000 },
    // As many comparisons would not fit 32-bit indices.
    Case { table: &[50_000, 32], axis: 0, picks: 2000 },
];

#[test]
fn gradients_are_the_sums_of_what_was_picked() {
    for device in [Device::open("host").unwrap(), gpu()] {
        CASES.iter().for_each(|case| case.check(&device, DType::Float32, 1e-6));
    }
}

#[test]
fn sums_of_halves_are_rounded_once() {
    for device in [Device::open("host").unwrap(), gpu()] {
        CASES.iter().for_each(|case| case.check(&device, DType::Float16, 1e-3));
    }
}
