//! TensorFlow's `Event` and `Summary` messages in the encoding of protocol buffers.

use super::histogram;

/// A message under construction.
#[derive(Clone, Debug, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    fn int(mut self, field: u64, value: u64) -> Message {
        self.key(field, 0);
        self.varint(value);
        self
    }

    fn double(mut self, field: u64, value: f64) -> Message {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Message {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn message(self, field: u64, message: &Message) -> Message {
        self.bytes(field, &message.0)
    }
}

const FLOAT: u64 = 1;
const DOUBLE: u64 = 2;
const STRING: u64 = 7;

/// What an event says: one value under a tag.
pub struct Summary(Message);

impl Summary {
    /// A number.
    pub fn scalar(tag: &str, value: f64) -> Summary {
        let tensor = tensor(FLOAT, &[]).bytes(5, &(value as f32).to_le_bytes());
        Summary::new(tag, "scalars", &[], 1, &tensor)
    }

    /// How values are distributed.
    pub fn histogram(tag: &str, values: &[f64]) -> Summary {
        let buckets = histogram::buckets(values);
        let content: Vec<u8> =
            buckets.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
        let tensor = tensor(DOUBLE, &[buckets.len() as u64, 3]).bytes(4, &content);
        Summary::new(tag, "histograms", &[], 2, &tensor)
    }

    /// A model's structure, as Keras's `to_json` gives it.
    pub fn keras_model(tag: &str, json: &str) -> Summary {
        let tensor = tensor(STRING, &[]).bytes(8, json.as_bytes());
        Summary::new(tag, "graph_keras_model", b"1", 0, &tensor)
    }

    /// A tensor, and for which of TensorBoard's plugins it is; `class` as in `DataClass`.
    fn new(tag: &str, plugin: &str, content: &[u8], class: u64, tensor: &Message) -> Summary {
        let mut about = Message::default().bytes(1, plugin.as_bytes());
        if !content.is_empty() {
            about = about.bytes(2, content);
        }
        let mut metadata = Message::default().message(1, &about);
        if class > 0 {
            metadata = metadata.int(4, class);
        }
        let value = Message::default().bytes(1, tag.as_bytes());
        let value = value.message(9, &metadata).message(8, tensor);
        Summary(Message::default().message(1, &value))
    }
}

/// The head of a `TensorProto`.
fn tensor(dtype: u64, shape: &[u64]) -> Message {
    let extent = |all: Message, &n: &u64| all.message(2, &Message::default().int(1, n));
    let shape = shape.iter().fold(Message::default(), extent);
    Message::default().int(1, dtype).message(2, &shape)
}

/// The event that every file starts with.
pub fn version(time: f64) -> Vec<u8> {
    Message::default().double(1, time).bytes(3, b"brain.Event:2").0
}

/// A summary at a time and a step.
pub fn event(time: f64, step: u64, summary: &Summary) -> Vec<u8> {
    Message::default().double(1, time).int(2, step).message(5, &summary.0).0
}
