// A click on a notification leads to what it tells of.
addEventListener("notificationclick", (event) => {
	const { notification } = event
	notification.close()
	event.waitUntil(clients.matchAll({ type: "window", includeUncontrolled: true }).then(([page]) => {
		if (!page) return clients.openWindow("/")
		page.postMessage(notification.data)
		return page.focus()
	}))
})
