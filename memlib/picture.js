// A picture that a kernel changes, drawn by the plotly.js that the page has; else by the kernel's own, sent once a page.
const MIME = "application/vnd.plotly.v1+json";

async function ofThePage() {
  const container = globalThis._JUPYTERLAB?.["jupyterlab-plotly"]; // the extension that draws plotly's stored outputs
  if (!container) return null;
  const { RenderedPlotly } = (await container.get("./mimeExtension"))();
  if (!RenderedPlotly.Plotly) {
    const bundle = { data: { [MIME]: { data: [], layout: { width: 10, height: 10 } } }, setData() {} };
    new RenderedPlotly({ mimeType: MIME }).renderModel(bundle); // it loads plotly.js with its first figure
    await RenderedPlotly.loadingPlotly;
  }
  return RenderedPlotly.Plotly;
}

function ofTheKernel(model) {
  return new Promise((resolve, reject) => {
    model.on("msg:custom", (content) => {
      if (content.plotly === undefined) return;
      const define = globalThis.define; // hidden from plotly.js, which else asks a loader that is there for a name
      globalThis.define = undefined;
      try {
        new Function(content.plotly).call(globalThis);
        resolve(globalThis.Plotly);
      } catch (error) {
        reject(error);
      } finally {
        globalThis.define = define;
      }
    });
    model.send({ want: "plotly" });
  });
}

function plotly(model) {
  globalThis.memlibPlotly ??= ofThePage()
    .catch(() => null)
    .then((found) => found ?? globalThis.Plotly ?? ofTheKernel(model));
  return globalThis.memlibPlotly;
}

const SAID = { waits: "Waiting for the kernel ...", works: "Working ...", failed: "No picture: see below." };

function render({ model, el }) {
  const graph = document.createElement("div");
  const note = document.createElement("div");
  const plate = document.createElement("div");
  plate.append(graph, note);
  el.append(plate);
  plate.className = "memlib-picture";
  plate.style.position = "relative";
  note.setAttribute("role", "status");
  note.className = "memlib-note";
  Object.assign(note.style, {
    position: "absolute", top: "8px", right: "8px", padding: "4px 12px", borderRadius: "4px", fontSize: "14px",
    color: "#FFFFFF", background: "#444444", display: "none",
  });

  let drawn = "", drawing = false, late = null, timer = 0;

  function say(state) { // what is old looks old
    graph.style.opacity = state === "ready" ? 1 : 0.35;
    note.style.display = state === "ready" ? "none" : "block";
    note.textContent = SAID[state] ?? "";
    plate.dataset.state = state;
  }

  async function draw() {
    if (drawing) return;
    drawing = true;
    try {
      while (drawn !== model.get("figure")) {
        const text = model.get("figure"), figure = JSON.parse(text);
        graph.style.minHeight = `${figure.layout.height ?? 360}px`;
        graph.setAttribute("role", "img");
        graph.setAttribute("aria-label", figure.layout.meta?.alt ?? "");
        const Plotly = await plotly(model);
        await Plotly.react(graph, figure.data, figure.layout, { displaylogo: false });
        drawn = text;
      }
    } catch (error) {
      note.style.display = "block";
      note.textContent = `The picture could not be drawn: ${error.message}. Reload the page.`;
      globalThis.memlibPlotly = undefined; // the next one tries anew
    } finally {
      drawing = false;
    }
  }

  function turn() {
    clearTimeout(timer);
    clearTimeout(late);
    if (model.get("state") === "ready") say("ready");
    else timer = setTimeout(() => say(model.get("state")), 150); // what is quick does not flicker
  }

  function moved() { // a control moved, and the kernel has not yet begun
    clearTimeout(late);
    late = setTimeout(() => say("waits"), 400);
  }

  model.on("change:figure", draw);
  model.on("change:state", turn);
  const watched = [];
  for (const name of model.get("watched")) {
    model.widget_manager.get_model(name).then((control) => {
      control.on("change:value", moved);
      watched.push(control);
    });
  }
  draw();
  return () => {
    watched.forEach((control) => control.off("change:value", moved));
    model.off("change:figure", draw);
    model.off("change:state", turn);
    clearTimeout(timer);
    clearTimeout(late);
  };
}

export default { render };
