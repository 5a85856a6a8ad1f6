"use strict";
// Draws the history: four small charts over one time axis. The figures are the table's, from history.json.
(() => {
  const holder = document.getElementById("charts");
  const hours = document.getElementById("hours");
  const none = document.getElementById("no-history");
  if (!holder || !hours) return;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const share = (part, whole) => (whole ? (100 * part) / whole : null);
  const DASH = { p50: [], p95: [7, 4], p99: [2, 4] };
  let points = [];
  let drawn = [];

  // By twenty-four hours; the day where it begins.
  const clock = (seconds) => {
    const [day, time] = new Date(seconds * 1000).toISOString().split(/[T.]/);
    return time === "00:00:00" ? day.slice(5) : time.slice(0, 5);
  };
  const age = (kind, name) => points.map((point) => point[kind]?.[`${name}_seconds`] ?? null);
  const charts = {
    "chart-push": () => ["p50", "p95", "p99"].map((name) => ({ label: name, data: age("push", name), stroke: "push", dash: DASH[name] })),
    "chart-poll": () => ["p50", "p95", "p99"].map((name) => ({ label: name, data: age("poll", name), stroke: "poll", dash: DASH[name] })),
    "chart-bound": () => [
      { label: "within bound", data: points.map((p) => share(p.bounds_kept, p.bounds_kept + p.bounds_broken)), stroke: "good" },
      { label: "missed by push", data: points.map((p) => share(p.changes_missed, p.changes_announced + p.changes_missed)), stroke: "miss", dash: [7, 4] },
    ],
    "chart-found": () => [
      { label: "by push", data: points.map((p) => p.changes_by_push), stroke: "push" },
      { label: "by polling", data: points.map((p) => p.changes_by_poll), stroke: "poll", dash: [7, 4] },
    ],
  };

  const draw = () => {
    drawn.forEach((chart) => chart.destroy());
    drawn = [];
    none.hidden = points.length > 0;
    holder.hidden = points.length === 0;
    if (!points.length) return;
    const times = points.map((point) => Date.parse(point.at) / 1000);
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") } };
    for (const [id, series] of Object.entries(charts)) {
      const place = document.getElementById(id);
      const lines = series();
      drawn.push(new uPlot({
        width: Math.max(260, place.clientWidth), height: 190,
        tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "UTC"),
        scales: { y: { range: (_, low, high) => [0, Math.max(high || 0, id === "chart-bound" ? 100 : 1)] } },
        axes: [{ ...axis, values: (_, splits) => splits.map(clock) }, { ...axis, size: 52 }],
        series: [{ value: "{YYYY}-{MM}-{DD} {HH}:{mm}" }, ...lines.map((line) => ({
          label: line.label, stroke: colour(line.stroke), dash: line.dash, width: 2, spanGaps: true, points: { size: 5 },
          value: (_, value) => (value == null ? "–" : String(Math.round(value * 100) / 100)),
        }))],
      }, [times, ...lines.map((line) => line.data)], place));
    }
  };

  const load = async () => {
    const answer = await fetch(`${holder.dataset.history}?hours=${hours.value}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    points = await answer.json();
    draw();
  };
  hours.addEventListener("change", load);
  addEventListener("themechange", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let wait;
  addEventListener("resize", () => { clearTimeout(wait); wait = setTimeout(draw, 150); });
  setInterval(load, 60000);
  load();
})();
