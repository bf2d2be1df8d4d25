//! The api's interface to the workers.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::Notice;
use super::hub::Hub;
use crate::announce::say;
use crate::wire::{AudioHead, Hello, Peak, Report, Wish, line};

/// Takes connections for ever.
pub(super) async fn serve(listener: TcpListener, hub: Arc<Hub>) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let hub = Arc::clone(&hub);
        // A broken connection needs no handling: the worker has ended, or is about to retry.
        tokio::spawn(async move { speak(stream, &hub).await });
    }
}

async fn speak(stream: TcpStream, hub: &Hub) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let Some(hello) = receive::<Hello>(&mut reader).await? else { return Ok(()) };
    if !hub.knows(&hello.token) {
        return Ok(());
    }
    match hello.wish {
        Wish::Work { pid } => work(reader, writer, pid, hub).await,
        Wish::Audio { task_id } => {
            let audio = hub.with(|ledger| ledger.take_audio(&task_id));
            let bytes = audio.as_ref().map(|audio| audio.len() as u64);
            send(&mut writer, &AudioHead { bytes }).await?;
            writer.write_all(audio.as_deref().unwrap_or_default()).await
        }
        Wish::Peak { task_id } => {
            let outstanding = hub.with(|ledger| ledger.peak(&task_id));
            send(&mut writer, &Peak { outstanding }).await
        }
    }
}

/// Sends orders and receives reports until the worker has ended.
async fn work(
    mut reader: BufReader<OwnedReadHalf>,
    mut writer: OwnedWriteHalf,
    pid: u32,
    hub: &Hub,
) -> std::io::Result<()> {
    let (worker, mut orders) = hub.connect();
    say(&Notice::Connected { pid });
    let deliver = async {
        while let Some(order) = orders.recv().await {
            send(&mut writer, &order).await?;
        }
        Ok(())
    };
    let collect = async {
        while let Some(report) = receive::<Report>(&mut reader).await? {
            hub.finish(worker, report);
        }
        Ok(())
    };
    let ended = tokio::select! { ended = deliver => ended, ended = collect => ended };
    hub.disconnect(worker);
    ended
}

/// The next message, or nothing at the end of the stream.
async fn receive<T: DeserializeOwned>(reader: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Option<T>> {
    let mut text = String::new();
    if reader.read_line(&mut text).await? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&text)?))
}

async fn send(writer: &mut OwnedWriteHalf, message: &impl Serialize) -> std::io::Result<()> {
    writer.write_all(line(message)?.as_bytes()).await
}
