// @ts-check
/// <reference lib="webworker" />
// The service worker: a click on a notification opens its conversation. Its path must not change,
// because browsers have registered it.

const worker = /** @type {ServiceWorkerGlobalScope} */ (
  /** @type {unknown} */ (self)
);

worker.addEventListener("notificationclick", (event) => {
  const { notification } = event;
  notification.close();
  event.waitUntil(open(notification.data));
});

/** @param {string} conversation */
async function open(conversation) {
  const pages = await worker.clients.matchAll({
    type: "window",
    includeUncontrolled: true,
  });
  const [page] = pages;
  if (!page) {
    await worker.clients.openWindow("/");
    return;
  }
  page.postMessage(conversation);
  await page.focus();
}
