//! A session in tower-sessions' SQLite store, read on every request, with a body of the same size
//! as Rejoin's snapshot.

use axum::{Router, body::Bytes, extract::State, http::header, response::IntoResponse, routing::get};
use tower_sessions::{Session, SessionManagerLayer};
use tower_sessions_sqlx_store::{SqliteStore, sqlx::SqlitePool};

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let (database, length) = (args.next().unwrap(), args.next().unwrap().parse().unwrap());
    let pool = SqlitePool::connect(&format!("sqlite:{database}?mode=rwc")).await.unwrap();
    let store = SqliteStore::new(pool);
    store.migrate().await.unwrap();
    let app = Router::new()
        .route("/enter", get(enter))
        .route("/session", get(session))
        .layer(SessionManagerLayer::new(store).with_secure(false))
        .with_state(Bytes::from(vec![b' '; length]));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    axum::serve(listener, app).await.unwrap();
}

/// Creates a session, and with it the cookie.
async fn enter(session: Session) {
    session.insert("nick", "alice").await.unwrap();
}

/// An authenticated request. Without a session it is refused.
async fn session(session: Session, State(body): State<Bytes>) -> impl IntoResponse {
    match session.get::<String>("nick").await.unwrap() {
        Some(_) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        None => axum::http::StatusCode::UNAUTHORIZED.into_response(),
    }
}
