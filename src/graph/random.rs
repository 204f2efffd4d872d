//! Random values from a key, as JAX draws them: a key is a value uint32[2], and equal keys give equal
//! values on every device, up to the rounding of the functions that shape a distribution.

use crate::base::{DType, Shape};
use crate::graph::Value;
use crate::graph::ops::{RandomBits, Take};

/// Tries at a number of a gamma distribution, of which one in twenty or fewer fails.
const GAMMA_TRIES: usize = 8;

impl<'g> Value<'g> {
    /// `count` keys from one, which is used up by it.
    pub fn split_key(self, count: usize) -> Vec<Value<'g>> {
        let graph = self.graph();
        let words = [Take::First, Take::Second].map(|take| {
            let bits = graph.push(RandomBits { shape: [count].into(), take }.into(), &[self.id()]);
            bits.reshape([count, 1])
        });
        let keys = graph.concat(&words, 1);
        (0..count).map(|i| keys.narrow(0, i, 1).reshape([2])).collect()
    }

    /// Integers below 2^32, all as likely.
    pub fn random_bits(self, shape: impl Into<Shape>) -> Value<'g> {
        self.mixed_bits(shape.into(), 32, 32)
    }

    fn mixed_bits(self, shape: Shape, width: u32, bits: u32) -> Value<'g> {
        let take = Take::Mixed { width, bits };
        self.graph().push(RandomBits { shape, take }.into(), &[self.id()])
    }

    /// Numbers of a floating dtype from `low` on, below `high`.
    pub fn uniform(self, shape: impl Into<Shape>, low: f64, high: f64, dtype: DType) -> Value<'g> {
        let (width, bits) = match dtype {
            DType::Float16 => (16, 10),
            DType::BFloat16 => (8, 7),
            _ => (32, 23),
        };
        // As many equal steps from 0 to 1 as the dtype's significand has: each is exact.
        let steps = self.mixed_bits(shape.into(), width, bits).cast(dtype);
        let unit = steps * (-f64::from(bits)).exp2();
        let graph = self.graph();
        let (low, high) = (graph.scalar(low, dtype), graph.scalar(high, dtype));
        (unit * (high - low) + low).maximum(low)
    }

    /// Numbers of the normal distribution of mean 0 and variance 1.
    pub fn normal(self, shape: impl Into<Shape>, dtype: DType) -> Value<'g> {
        let ulp = match dtype {
            DType::Float16 => 11,
            DType::BFloat16 => 8,
            _ => 24,
        };
        let lowest = (-f64::from(ulp)).exp2() - 1.0;
        self.uniform(shape, lowest, 1.0, dtype).unary("erfinv") * std::f64::consts::SQRT_2
    }

    /// Numbers of the standard normal distribution that lie within -2 and 2.
    pub fn truncated_normal(self, shape: impl Into<Shape>, dtype: DType) -> Value<'g> {
        let bound = crate::graph::math::erf(std::f64::consts::SQRT_2);
        let y = self.uniform(shape, -bound, bound, dtype).unary("erfinv");
        let y = y * std::f64::consts::SQRT_2;
        let nearest = 2.0 * (1.0 - f64::from(f32::EPSILON) / 2.0);
        y.maximum(y.scalar_like(-nearest)).minimum(y.scalar_like(nearest))
    }

    /// True with the given probability.
    pub fn bernoulli(self, shape: impl Into<Shape>, probability: f64) -> Value<'g> {
        let x = self.uniform(shape, 0.0, 1.0, DType::Float32);
        x.binary("lt", x.scalar_like(probability))
    }

    /// Integers (int32) from `low` on, below `high`; `low` where that leaves none.
    pub fn randint(self, shape: impl Into<Shape>, low: i32, high: i32) -> Value<'g> {
        self.integers(&shape.into(), low, high, 32)
    }

    /// [`randint`](Value::randint) of few integers, from eight random bits twice, as JAX draws uint8.
    pub fn randint8(self, shape: impl Into<Shape>, low: i32, high: i32) -> Value<'g> {
        self.integers(&shape.into(), low, high, 8)
    }

    fn integers(self, shape: &Shape, low: i32, high: i32, width: u32) -> Value<'g> {
        let span = i64::from(high).saturating_sub(i64::from(low)).max(1);
        let keys = self.split_key(2);
        let graph = self.graph();
        let whole = graph.scalar(span as f64, DType::UInt32);
        let rest = |x: Value<'g>| x.binary("mod", whole);
        // 2^width modulo the span, as JAX has it: the square of the rest of its root.
        let half = (1i64 << (width / 2)) % span;
        let factor = rest(graph.scalar(((half * half) & 0xffff_ffff) as f64, DType::UInt32));
        let draw = |i: usize| rest(keys[i].mixed_bits(shape.clone(), width, width));
        let offset = rest(draw(0) * factor + draw(1));
        offset.cast(DType::Int32) + graph.scalar(f64::from(low), DType::Int32)
    }

    /// The integers (int32) below `count` in random order: sorted by random bits, several times where
    /// there are many.
    pub fn permutation(self, count: usize) -> Value<'g> {
        let graph = self.graph();
        let rounds = (3.0 * (count.max(1) as f64).ln() / f64::from(u32::MAX).ln()).ceil() as usize;
        let (mut key, mut order) = (self, graph.iota([count], 0));
        for _ in 0..rounds {
            let keys = key.split_key(2);
            key = keys[0];
            let bits = keys[1].random_bits([count]);
            let (mine, other) = (bits.reshape([count, 1]), bits.reshape([1, count]));
            let (row, column) = (graph.iota([count, 1], 0), graph.iota([1, count], 1));
            // Equal bits stay in order.
            let tie = mine.binary("eq", other).binary("and", column.binary("lt", row));
            let before = other.binary("lt", mine).binary("or", tie);
            let place = before.cast(DType::Int32).sum(&[1]);
            let source = place.reshape([1, count]).binary("eq", row).cast(DType::Int32).argmax(1);
            order = order.gather(source.cast(DType::Int32), 0);
        }
        order
    }

    /// Numbers (float32) of a gamma distribution of scale 1 and shape `alpha`, a scalar, by Marsaglia
    /// and Tsang's method with a bounded number of tries; the mode counts when all fail, less than
    /// once in 10^9.
    pub fn gamma(self, shape: impl Into<Shape>, alpha: Value<'g>) -> Value<'g> {
        let shape = shape.into();
        // Below 1 the method needs one more than alpha, and a power of a uniform number.
        let small = alpha.binary("lt", alpha.like(1.0));
        let d = small.select(alpha + 1.0, alpha) - 1.0 / 3.0;
        let c = (d * 9.0).rsqrt();
        let keys = self.split_key(2 * GAMMA_TRIES + 1);
        let mut result = d.broadcast(shape.clone());
        for pair in keys[1..].chunks_exact(2).rev() {
            let x = pair[0].normal(shape.clone(), DType::Float32);
            let u = pair[1].uniform(shape.clone(), 0.0, 1.0, DType::Float32);
            let v = x * c + 1.0;
            let cube = v * v * v;
            let positive = v.binary("gt", v.like(0.0));
            let safe = positive.select(cube, cube.like(1.0));
            let bound = x * x * 0.5 + (-safe + safe.log() + 1.0) * d;
            let accepted = positive.binary("and", u.log().binary("lt", bound));
            result = accepted.select(cube * d, result);
        }
        let u = -keys[0].uniform(shape, 0.0, 1.0, DType::Float32) + 1.0;
        let power = u.binary("pow", alpha.like(1.0) / alpha);
        small.select(result * power, result)
    }

    /// Numbers (float32) of a beta distribution of the shapes `a` and `b`, which are scalars.
    pub fn beta(self, shape: impl Into<Shape>, a: Value<'g>, b: Value<'g>) -> Value<'g> {
        let shape = shape.into();
        let keys = self.split_key(2);
        let (x, y) = (keys[0].gamma(shape.clone(), a), keys[1].gamma(shape, b));
        x / (x + y)
    }
}
