//! Random bits, each a function of a key and its own position.

use crate::base::{DType, Error, Result, Shape, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// Random unsigned integers of a shape. The input is a key, two uint32; the element at linear position
/// `p` is made from Threefry-2x32 (20 rounds; Salmon et al., 2011) of the key and the counter `(0, p)`,
/// as JAX makes it, so that equal keys give equal bits wherever they are computed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RandomBits {
    /// Shape of the result.
    pub shape: Shape,
    /// What an element is made of.
    pub take: Take,
}

/// Which bits of the two words of a block an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Take {
    /// The first word: with [`Take::Second`], a new key.
    First,
    /// The second word.
    Second,
    /// Of the words' exclusive or, the upper `bits` of the lower `width` bits.
    Mixed {
        /// How many of the lower bits are looked at: the width of the dtype that is drawn; at most
        /// 32.
        width: u32,
        /// How many of those are kept, the upper ones; at most `width`.
        bits: u32,
    },
}

impl Take {
    /// The element that a block gives.
    pub fn of(self, [a, b]: [u32; 2]) -> u32 {
        match self {
            Take::First => a,
            Take::Second => b,
            Take::Mixed { width, bits } => ((a ^ b) & ones(width)) >> width.saturating_sub(bits),
        }
    }
}

/// A word whose lowest `count` bits are set.
pub fn ones(count: u32) -> u32 {
    if count >= 32 { u32::MAX } else { (1 << count) - 1 }
}

/// One block of Threefry-2x32.
pub fn threefry(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    let schedule = [key[0], key[1], key[0] ^ key[1] ^ 0x1bd1_1bda];
    let mut x = [counter[0].wrapping_add(key[0]), counter[1].wrapping_add(key[1])];
    for round in 0..5 {
        for rotation in ROTATIONS[round % 2] {
            x[0] = x[0].wrapping_add(x[1]);
            x[1] = x[1].rotate_left(rotation) ^ x[0];
        }
        x[0] = x[0].wrapping_add(schedule[(round + 1) % 3]);
        x[1] = x[1].wrapping_add(schedule[(round + 2) % 3]).wrapping_add(round as u32 + 1);
    }
    x
}

impl OpDef for RandomBits {
    fn label(&self) -> String {
        format!("random bits {:?}", self.take).to_lowercase()
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let key = inputs[0];
        let fits = match self.take {
            Take::Mixed { width, bits } => bits <= width && width <= 32,
            Take::First | Take::Second => true,
        };
        if key.shape[..] != [2] || key.dtype != DType::UInt32 || !fits {
            let expected = "a key uint32[2], and no more than 32 bits";
            return Err(Error::shape(self.label(), key.to_string(), expected));
        }
        Ok(Spec::new(self.shape.clone(), DType::UInt32))
    }

    fn vjp<'g>(&self, _: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        vec![None]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let key = [inputs[0].index(0) as u32, inputs[0].index(1) as u32];
        let element = |i: usize| self.take.of(threefry(key, [0, i as u32]));
        let words = Words::U32((0..output.shape.len()).map(element).collect());
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Map
    }
}
