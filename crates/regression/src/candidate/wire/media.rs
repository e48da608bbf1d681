//! Parts of a message that are no text: images, sounds and documents, in whatever dialect they were captured.

use serde_json::{Value, json};

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Modality {
    Image,
    Audio,
    Document,
}

/// Where its bytes are.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    Url(String),
    /// In base64, with the media type.
    Data(String, String),
    /// A document that is a text.
    Text(String),
}

/// A part that is no text.
struct Media {
    modality: Modality,
    from: Held,
    name: Option<String>,
}

/// A part as an interface takes it; `None` where it takes none such, or nobody knows what the part holds.
pub(super) fn openai(part: &Value) -> Option<Value> {
    if is_openai(part) {
        return Some(part.clone());
    }
    let Media { modality, from, name } = read(part)?;
    Some(match (modality, from) {
        (Modality::Image, Held::Url(url)) => json!({ "type": "image_url", "image_url": { "url": url } }),
        (Modality::Image, Held::Data(kind, data)) => {
            json!({ "type": "image_url", "image_url": { "url": data_url(&kind, &data) } })
        }
        (Modality::Audio, Held::Data(kind, data)) => {
            let format = kind.rsplit(['/', '-']).next().unwrap_or_default();
            let format = if format == "mpeg" { "mp3" } else { format };
            json!({ "type": "input_audio", "input_audio": { "data": data, "format": format } })
        }
        (Modality::Document, Held::Data(kind, data)) => {
            let name = name.unwrap_or_else(|| "document".to_owned());
            json!({ "type": "file", "file": { "filename": name, "file_data": data_url(&kind, &data) } })
        }
        (_, Held::Text(text)) => json!({ "type": "text", "text": text }),
        (Modality::Audio | Modality::Document, Held::Url(_)) => return None,
    })
}

/// See [`openai`].
pub(super) fn anthropic(part: &Value) -> Option<Value> {
    if is_anthropic(part) {
        return Some(part.clone());
    }
    let Media { modality, from, name } = read(part)?;
    let kind = match modality {
        Modality::Image => "image",
        Modality::Document => "document",
        Modality::Audio => return None,
    };
    let source = match from {
        Held::Url(url) => json!({ "type": "url", "url": url }),
        Held::Data(media_type, data) => json!({ "type": "base64", "media_type": media_type, "data": data }),
        Held::Text(text) => json!({ "type": "text", "media_type": "text/plain", "data": text }),
    };
    let mut block = json!({ "type": kind, "source": source });
    if let Some(name) = name {
        block["title"] = Value::from(name);
    }
    Some(block)
}

/// A part as OpenTelemetry's GenAI conventions have it; as it is where nobody knows what it holds.
pub(super) fn telemetry(part: &Value) -> Value {
    let Some(Media { modality, from, .. }) = read(part) else { return part.clone() };
    let modality = match modality {
        Modality::Image => "image",
        Modality::Audio => "audio",
        Modality::Document => "document",
    };
    match from {
        Held::Url(url) => json!({ "type": "uri", "modality": modality, "uri": url }),
        Held::Data(kind, data) => {
            json!({ "type": "blob", "modality": modality, "mime_type": kind, "content": data })
        }
        Held::Text(text) => json!({ "type": "text", "content": text }),
    }
}

fn is_openai(part: &Value) -> bool {
    match part["type"].as_str() {
        Some("image_url") => part["image_url"]["url"].is_string(),
        Some("input_audio") => part["input_audio"]["data"].is_string(),
        Some("file") => part["file"].is_object(),
        _ => false,
    }
}

fn is_anthropic(part: &Value) -> bool {
    matches!(part["type"].as_str(), Some("image" | "document")) && part["source"]["type"].is_string()
}

fn read(part: &Value) -> Option<Media> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let said = |names: &[&str]| names.iter().find_map(|name| text(&part[*name]));
    let kind = said(&["mime_type", "mimeType", "mediaType", "media_type"]);
    let name = said(&["filename", "title", "name"]).or_else(|| text(&part["file"]["filename"]));
    let data_or_url = |found: String| from(found, kind.clone());
    let (modality, from) = match part["type"].as_str()? {
        "image_url" => {
            (Modality::Image, data_or_url(text(&part["image_url"]["url"]).or_else(|| text(&part["image_url"]))?)?)
        }
        "input_audio" => {
            let format = part["input_audio"]["format"].as_str().unwrap_or("wav");
            (Modality::Audio, Held::Data(format!("audio/{format}"), text(&part["input_audio"]["data"])?))
        }
        of @ ("image" | "document") if part["source"].is_object() => {
            let modality = if of == "image" { Modality::Image } else { Modality::Document };
            (modality, of_source(&part["source"])?)
        }
        // Vercel has it in `image`, OpenInference two members deeper.
        "image" => {
            let image = &part["image"];
            let found = text(image).or_else(|| text(&image["url"])).or_else(|| text(&image["image"]["url"]))?;
            (Modality::Image, data_or_url(found)?)
        }
        "file" => {
            let found = said(&["data", "url"]).or_else(|| text(&part["file"]["file_data"]))?;
            let from = data_or_url(found)?;
            (modality(said(&["modality"]), &from), from)
        }
        "blob" => {
            let from = Held::Data(kind.clone()?, text(&part["content"])?);
            (modality(said(&["modality"]), &from), from)
        }
        "uri" => {
            let from = data_or_url(text(&part["uri"])?)?;
            (modality(said(&["modality"]).or_else(|| kind.clone()), &from), from)
        }
        _ => return None,
    };
    Some(Media { modality, from, name })
}

/// The source of one of Anthropic's blocks.
fn of_source(source: &Value) -> Option<Held> {
    let text = |name: &str| source[name].as_str().map(str::to_owned);
    match source["type"].as_str()? {
        "base64" => Some(Held::Data(text("media_type")?, text("data")?)),
        "url" => Some(Held::Url(text("url")?)),
        "text" => Some(Held::Text(text("data")?)),
        _ => None,
    }
}

/// A URL, or the base64 of one that holds its data, or base64 by itself, whose media type has to be known then.
fn from(found: String, kind: Option<String>) -> Option<Held> {
    if let Some((head, data)) = found.strip_prefix("data:").and_then(|rest| rest.split_once(',')) {
        let kind = head.strip_suffix(";base64")?;
        return Some(Held::Data(kind.to_owned(), data.to_owned()));
    }
    if found.contains("://") { Some(Held::Url(found)) } else { Some(Held::Data(kind?, found)) }
}

/// By the modality that is said, or the media type.
fn modality(said: Option<String>, from: &Held) -> Modality {
    let kind = match (said, from) {
        (Some(said), _) => said,
        (None, Held::Data(kind, _)) => kind.clone(),
        (None, _) => String::new(),
    };
    match kind.split('/').next() {
        Some("image") => Modality::Image,
        Some("audio") => Modality::Audio,
        _ => Modality::Document,
    }
}

fn data_url(kind: &str, data: &str) -> String {
    format!("data:{kind};base64,{data}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_the_same_in_every_dialect() {
        for part in [
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}),
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}),
            json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="}),
            json!({"type": "image", "image": "aGk=", "mediaType": "image/png"}),
            json!({"type": "file", "data": "aGk=", "mediaType": "image/png"}),
            json!({"type": "image", "image": {"image": {"url": "data:image/png;base64,aGk="}}}),
        ] {
            let wanted = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}});
            assert_eq!(openai(&part), Some(wanted), "{part}");
            let source = json!({"type": "base64", "media_type": "image/png", "data": "aGk="});
            assert_eq!(anthropic(&part), Some(json!({"type": "image", "source": source})), "{part}");
            let blob = json!({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="});
            assert_eq!(telemetry(&part), blob, "{part}");
        }
        let there = json!({"type": "uri", "modality": "image", "uri": "https://example.org/a.png"});
        assert_eq!(openai(&there).unwrap()["image_url"]["url"], "https://example.org/a.png");
        assert_eq!(anthropic(&there).unwrap()["source"], json!({"type": "url", "url": "https://example.org/a.png"}));
    }

    #[test]
    fn what_an_interface_does_not_take_is_not_made_up() {
        let sound = json!({"type": "blob", "mime_type": "audio/mpeg", "content": "aGk="});
        let wanted = json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}});
        assert_eq!((openai(&sound), anthropic(&sound)), (Some(wanted), None));
        let paper =
            json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}});
        let source = json!({"type": "base64", "media_type": "application/pdf", "data": "aGk="});
        assert_eq!(anthropic(&paper), Some(json!({"type": "document", "source": source, "title": "a.pdf"})));
        // It lies with one provider, under an id that another does not know.
        let kept = json!({"type": "file", "file": {"file_id": "file-1"}});
        assert_eq!((openai(&kept), anthropic(&kept)), (Some(kept.clone()), None));
        assert_eq!(telemetry(&kept), kept);
        let unknown = json!({"type": "hologram", "data": "aGk="});
        assert_eq!((openai(&unknown), anthropic(&unknown)), (None, None));
    }
}
