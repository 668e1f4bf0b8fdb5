//! A web app built with the `oauth2` crate. It takes everything it knows about Rejoin from the
//! metadata.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Query, State},
    response::{Html, Redirect},
    routing::get,
};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl,
    EndpointMaybeSet, EndpointSet, HttpRequest, HttpResponse, IntrospectionUrl, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RevocationUrl, Scope, TokenResponse, TokenUrl,
    basic::BasicClient,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Mutex, task::JoinHandle};

use super::{App, Device};

/// The crate's client of an app.
pub type OAuth = BasicClient<EndpointSet, EndpointMaybeSet, EndpointSet, EndpointSet, EndpointSet>;

/// Sends the crate's requests to the server. Some of them have https addresses, from which a proxy
/// would remove TLS.
pub async fn http(mut request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    *request.uri_mut() = request
        .uri()
        .to_string()
        .replace("https://", "http://")
        .parse()
        .unwrap();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let response = client.execute(request.try_into()?).await?;
    let mut answer = HttpResponse::default();
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    *answer.body_mut() = response.bytes().await?.to_vec();
    Ok(answer)
}

impl App {
    /// The crate's client of this app, made from the server's metadata.
    pub async fn oauth(&self) -> OAuth {
        let metadata = self
            .program
            .get("/.well-known/oauth-authorization-server")
            .await;
        let at = |name: &str| metadata[name].as_str().map(str::to_owned);
        let client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_auth_uri(AuthUrl::new(at("authorization_endpoint").unwrap()).unwrap())
            .set_token_uri(TokenUrl::new(at("token_endpoint").unwrap()).unwrap())
            .set_introspection_url(
                IntrospectionUrl::new(at("introspection_endpoint").unwrap()).unwrap(),
            )
            .set_revocation_url(
                RevocationUrl::new(
                    at("revocation_endpoint")
                        .unwrap()
                        .replace("http://", "https://"),
                )
                .unwrap(),
            )
            .set_device_authorization_url_option(
                at("device_authorization_endpoint")
                    .map(|url| DeviceAuthorizationUrl::new(url).unwrap()),
            );
        match self.secret.as_str() {
            "" => client,
            secret => client.set_client_secret(ClientSecret::new(secret.to_owned())),
        }
    }
}

/// The web app, on a port that the system picked. A user starts at `/` or at `/silently`, and comes
/// back to `/done`.
pub struct WebApp {
    pub address: String,
    task: JoinHandle<()>,
}

struct Site {
    oauth: OAuth,
    redirect: RedirectUrl,
    scope: String,
    program: Device,
    /// The verifiers of the sign-ins in progress, by state.
    begun: Mutex<HashMap<String, PkceCodeVerifier>>,
}

impl WebApp {
    pub async fn start(app: &App, scope: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let site = Site {
            oauth: app.oauth().await,
            redirect: RedirectUrl::new(format!("{address}/done")).unwrap(),
            scope: scope.to_owned(),
            program: app.program.clone(),
            begun: Mutex::default(),
        };
        let router =
            Router::new()
                .route(
                    "/",
                    get(|State(site): State<Arc<Site>>| async move { site.begin(false).await }),
                )
                .route(
                    "/silently",
                    get(|State(site): State<Arc<Site>>| async move { site.begin(true).await }),
                )
                .route(
                    "/done",
                    get(|State(site): State<Arc<Site>>, Query(told)| async move {
                        site.done(told).await
                    }),
                )
                .with_state(Arc::new(site));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, task }
    }
}

impl Drop for WebApp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    async fn begin(&self, silently: bool) -> Redirect {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let redirect = std::borrow::Cow::Borrowed(&self.redirect);
        let asked = self
            .oauth
            .authorize_url(CsrfToken::new_random)
            .set_redirect_uri(redirect)
            .set_pkce_challenge(challenge);
        let asked = asked.add_scope(Scope::new(self.scope.clone()));
        let asked = if silently {
            asked.add_extra_param("prompt", "none")
        } else {
            asked
        };
        let (url, state) = asked.url();
        self.begun
            .lock()
            .await
            .insert(state.into_secret(), verifier);
        Redirect::to(url.as_str())
    }

    async fn done(&self, told: HashMap<String, String>) -> Html<String> {
        assert_eq!(told["iss"], self.program.base, "RFC 9207");
        let verifier = self
            .begun
            .lock()
            .await
            .remove(&told["state"])
            .expect("the app knows the state");
        let Some(code) = told.get("code") else {
            return Html(format!("<p id=said>{}", told["error"]));
        };
        let exchange = self
            .oauth
            .exchange_code(AuthorizationCode::new(code.clone()))
            .set_pkce_verifier(verifier);
        let tokens = exchange
            .set_redirect_uri(std::borrow::Cow::Borrowed(&self.redirect))
            .request_async(&http)
            .await
            .unwrap();
        let user: Value = self
            .program
            .with_token(tokens.access_token().secret())
            .get("/auth/userinfo")
            .await;
        Html(format!(
            "<p id=said>Hello {}",
            user["nick"].as_str().unwrap()
        ))
    }
}
