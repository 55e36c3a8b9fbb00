// Browsers start no worker from a file: URL, so there a hidden frame does the work of the search's.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #frame;

    constructor(url) {
      super();
      this.#frame = new Promise((resolve) => {
        const frame = document.createElement("iframe");
        frame.hidden = true;
        frame.onload = () => {
          const { contentWindow: inner, contentDocument: page } = frame;
          inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
          const script = page.createElement("script");
          script.src = url;
          script.onload = () => resolve(inner);
          page.body.append(script);
        };
        document.body.append(frame);
      });
    }

    postMessage(data) {
      this.#frame.then((inner) => inner.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}
