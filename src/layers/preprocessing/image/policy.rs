//! The changes of images from which `RandAugment` and `AugMix` choose.

use serde_json::{Map, json};

use crate::base::Result;
use crate::layers::config::{Config, Json};
use crate::layers::preprocessing::image::base::Augment;
use crate::layers::preprocessing::image::settings::{factor, value_range};
use crate::layers::{
    AutoContrast, Equalization, RandomBrightness, RandomColorDegeneration, RandomContrast,
    RandomPosterization, RandomRotation, RandomSharpness, RandomShear, RandomTranslation,
    Solarization,
};

/// One change, by the layer that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Shear,
    Translation,
    Rotation,
    Brightness,
    ColorDegeneration,
    Contrast,
    Sharpness,
    Posterization,
    Solarization,
    AutoContrast,
    Equalization,
}

impl Change {
    /// All of them, in the order of `RandAugment`.
    pub const ALL: [Change; 11] = [
        Change::Shear,
        Change::Translation,
        Change::Rotation,
        Change::Brightness,
        Change::ColorDegeneration,
        Change::Contrast,
        Change::Sharpness,
        Change::Posterization,
        Change::Solarization,
        Change::AutoContrast,
        Change::Equalization,
    ];
}

/// Changes with the strength and the settings of a layer that has the keys `factor`, `value_range` and
/// `interpolation`.
pub(super) fn changes(config: &Config, list: &[Change]) -> Result<Vec<Box<dyn Augment>>> {
    value_range(config)?;
    let policy = Policy {
        owner: config.owner(),
        strength: factor(config, "factor", [0.0, 1.0])?,
        range: config.get("value_range"),
        interpolation: config
            .choice("interpolation", &[("nearest", "nearest"), ("bilinear", "bilinear")])?,
    };
    list.iter().map(|&change| policy.change(change)).collect()
}

/// What the settings of one layer say of all its changes.
struct Policy<'a> {
    owner: &'a str,
    strength: [f64; 2],
    range: &'a Json,
    interpolation: &'static str,
}

impl Policy<'_> {
    fn change(&self, change: Change) -> Result<Box<dyn Augment>> {
        Ok(match change {
            Change::Shear => {
                let config = self.moving(RandomShear::defaults(), &["x_factor", "y_factor"]);
                Box::new(RandomShear::augment(&config)?)
            }
            Change::Translation => {
                let keys = ["height_factor", "width_factor"];
                let config = self.moving(RandomTranslation::defaults(), &keys);
                Box::new(RandomTranslation::augment(&config)?)
            }
            Change::Rotation => {
                let config = self.moving(RandomRotation::defaults(), &["factor"]);
                Box::new(RandomRotation::augment(&config)?)
            }
            Change::Brightness => {
                let config = self.colors(RandomBrightness::defaults(), &["factor"]);
                Box::new(RandomBrightness::augment(&config)?)
            }
            Change::ColorDegeneration => {
                let config = self.colors(RandomColorDegeneration::defaults(), &["factor"]);
                Box::new(RandomColorDegeneration::augment(&config)?)
            }
            Change::Contrast => {
                let config = self.colors(RandomContrast::defaults(), &["factor"]);
                Box::new(RandomContrast::augment(&config)?)
            }
            Change::Sharpness => {
                let config = self.colors(RandomSharpness::defaults(), &["factor"]);
                Box::new(RandomSharpness::augment(&config)?)
            }
            Change::Posterization => {
                let bits = ((8.0 * self.strength[1]) as i64).max(1);
                let given = json!({"factor": bits, "value_range": self.range});
                let config = self.config(RandomPosterization::defaults(), given);
                Box::new(RandomPosterization::augment(&config)?)
            }
            Change::Solarization => {
                let keys = ["addition_factor", "threshold_factor"];
                let config = self.colors(Solarization::defaults(), &keys);
                Box::new(Solarization::augment(&config)?)
            }
            Change::AutoContrast => {
                let config = self.colors(AutoContrast::defaults(), &[]);
                Box::new(AutoContrast::augment(&config)?)
            }
            Change::Equalization => {
                let config = self.colors(Equalization::defaults(), &[]);
                Box::new(Equalization::augment(&config)?)
            }
        })
    }

    /// The config of a change of places whose strengths have these keys.
    fn moving(&self, defaults: Json, strengths: &[&str]) -> Config<'static> {
        let mut given = self.strengths(strengths);
        given["interpolation"] = json!(self.interpolation);
        self.config(defaults, given)
    }

    /// The config of a change of colours whose strengths have these keys.
    fn colors(&self, defaults: Json, strengths: &[&str]) -> Config<'static> {
        let mut given = self.strengths(strengths);
        given["value_range"] = self.range.clone();
        self.config(defaults, given)
    }

    fn strengths(&self, keys: &[&str]) -> Json {
        keys.iter()
            .map(|key| ((*key).to_owned(), json!(self.strength)))
            .collect::<Map<_, _>>()
            .into()
    }

    fn config(&self, defaults: Json, given: Json) -> Config<'static> {
        let given = match given {
            Json::Object(given) => given,
            _ => Map::new(),
        };
        Config::new(self.owner.to_owned(), given, defaults)
    }
}
