(() => {
  "use strict";
  const svgNs = "http://www.w3.org/2000/svg";
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "status");
  document.body.append(tip);
  const ring = document.createElementNS(svgNs, "circle");
  ring.id = "ring";
  ring.setAttribute("r", "6");

  // Seconds in the words of the axis.
  const seconds = s => s < 120 ? s.toFixed(1) + " s" : s < 7200 ? (s / 60).toFixed(1) + " min" : (s / 3600).toFixed(2) + " h";
  const figure = v => Math.abs(v) >= 100 ? v.toFixed(0) : Math.abs(v) >= 1 ? v.toFixed(1) : v.toPrecision(3);
  const place = (x, unit) => unit === "s" ? seconds(x) : unit === "task" ? "task " + Math.round(x) : "c=" + Math.round(x);

  // All that a pointer can be told about in a drawing: where it is, what it says, and the row of its task.
  const read = svg => {
    if (svg.told) return svg.told;
    const told = [];
    for (const mark of svg.querySelectorAll(".m")) {
      const title = mark.querySelector("title");
      if (!title) continue;
      const box = mark.getBBox(), link = mark.closest("a");
      told.push({ x: box.x + box.width / 2, y: box.y + box.height / 2, text: title.textContent, row: link && link.getAttribute("href") });
      title.remove();
    }
    for (const line of svg.querySelectorAll("polyline[data-s]")) {
      const [px0, px1, x0, x1, py0, py1, y0, y1] = line.dataset.s.split(" ").map(Number);
      for (const pair of line.getAttribute("points").split(" ")) {
        const [px, py] = pair.split(",").map(Number);
        const x = x0 + (px - px0) / (px1 - px0) * (x1 - x0), y = y0 + (py - py0) / (py1 - py0) * (y1 - y0);
        told.push({ x: px, y: py, text: line.dataset.n + ", " + place(x, line.dataset.x) + ": " + figure(y) + " " + line.dataset.y, row: line.dataset.x === "task" ? "#task-" + Math.round(x) : null });
      }
      line.querySelector("title")?.remove();
    }
    told.sort((a, b) => a.x - b.x);
    return svg.told = told;
  };
  const show = (svg, mark) => {
    ring.setAttribute("cx", mark.x);
    ring.setAttribute("cy", mark.y);
    svg.append(ring);
    tip.textContent = mark.text;
    tip.hidden = false;
    const at = ring.getBoundingClientRect(), width = document.documentElement.clientWidth;
    const left = Math.min(Math.max(8, at.x + at.width / 2 - tip.offsetWidth / 2), width - tip.offsetWidth - 8);
    tip.style.left = left + scrollX + "px";
    const above = at.y - tip.offsetHeight - 8;
    tip.style.top = (above > 4 ? above : at.bottom + 8) + scrollY + "px";
  };
  const hide = () => { tip.hidden = true; ring.remove(); };
  const nearest = (svg, event) => {
    const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.x) * scale, y = (event.clientY - box.y) * scale;
    let best = null, least = Infinity;
    for (const mark of read(svg)) {
      const far = Math.hypot((mark.x - x) * 2, mark.y - y);
      if (far < least) { least = far; best = mark; }
    }
    return least < 90 ? best : null;
  };
  const open = row => {
    const found = row && document.querySelector(row);
    if (!found) return;
    document.querySelectorAll("tr.on").forEach(other => other.classList.remove("on"));
    found.closest("details").open = true;
    found.classList.add("on");
    found.scrollIntoView({ block: "center" });
  };
  for (const figure of document.querySelectorAll(".picture figure")) {
    let at = -1;
    const drawings = () => [...figure.querySelectorAll(".plots svg")].filter(svg => svg.getClientRects().length);
    figure.addEventListener("pointermove", event => {
      const svg = event.target.closest(".plots svg");
      const mark = svg && nearest(svg, event);
      if (mark) show(svg, mark); else hide();
    });
    figure.addEventListener("pointerleave", hide);
    figure.addEventListener("focusout", hide);
    figure.addEventListener("click", event => {
      const svg = event.target.closest(".plots svg"), mark = svg && nearest(svg, event);
      if (!mark) return;
      show(svg, mark);
      if (mark.row) { event.preventDefault(); open(mark.row); }
    });
    figure.addEventListener("keydown", event => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === "Escape") return hide();
      const all = drawings().flatMap(svg => read(svg).map(mark => ({ svg, mark })));
      if (event.key === "Enter" && all[at]) return open(all[at].mark.row);
      if (step === undefined || !all.length) return;
      event.preventDefault();
      at = Math.min(Math.max(at + step, 0), all.length - 1);
      show(all[at].svg, all[at].mark);
    });
  }
  const folded = [];
  addEventListener("beforeprint", () => document.querySelectorAll("details.small:not([open])").forEach(part => { part.open = true; folded.push(part); }));
  addEventListener("afterprint", () => folded.splice(0).forEach(part => { part.open = false; }));
  document.documentElement.dataset.ready = "yes";
})();
