// Draws equity lines (uPlot) and candles with fills (lightweight-charts) into the figures that ask for them.
(() => {
  "use strict";
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 8 });
  const REFRESH = 5000, CLOCK_TICK = 3;
  const zone = document.body.dataset.zone || "UTC";
  const stamp = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" });

  async function read(address) {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    const found = await answer.json().catch(() => ({ message: "no answer" }));
    if (!answer.ok) throw Object.assign(new Error(found.message || answer.statusText), { status: answer.status });
    return found;
  }

  // An exchange that does not answer just now is asked again; what is wrong with the question stays wrong.
  async function readCandles(figure) {
    for (;;) {
      try { return await read(figure.dataset.candles); } catch (error) {
        say(figure, `No candles: ${error.message}`);
        if (error.status < 500) return null;
      }
      await new Promise((next) => setTimeout(next, REFRESH));
    }
  }

  // "2026-11-30 10:01" in the person's time zone.
  const told = (seconds) => stamp.format(new Date(seconds * 1000));

  function say(figure, text) { figure.querySelector("[data-summary]").textContent = text; }

  function summary(figure, data) {
    const values = data[1];
    if (!values.length) { say(figure, "No equity has been read yet: the line begins with the first reading."); return; }
    const last = number.format(values[values.length - 1]), low = number.format(Math.min(...values)), high = number.format(Math.max(...values));
    say(figure, `Now ${last} ${figure.dataset.unit}; lowest ${low}, highest ${high} since ${told(data[0][0])} ${zone}.`);
  }

  // As everywhere on the pages: ISO dates, 24 hours. By distance of the ticks; behind the plain form
  // what is written where the year, the day or the minute begins.
  const tickForms = [
    [31536000, "{YYYY}", null, null, null, null, null, null, 1],
    [2419200, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
    [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
    [0.001, ":{ss}", "\n{YYYY}-{MM}-{DD} {HH}:{mm}", null, "\n{MM}-{DD} {HH}:{mm}", null, "\n{HH}:{mm}", null, 1],
  ];

  function lineOptions(figure) {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1, size: 4 } };
    return {
      width: figure.clientWidth, height: 220, tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone), legend: { show: false }, cursor: { drag: { x: true, y: false } },
      axes: [{ ...axis, values: tickForms }, { ...axis, size: 76, values: (_, ticks) => ticks.map((tick) => number.format(tick)) }],
      series: [{}, { stroke: colour("--accent"), width: 2, points: { show: false } }],
    };
  }

  async function drawLine(figure) {
    if (!window.uPlot) { say(figure, "The drawing library is not installed (make assets); the tables are complete."); return; }
    let data;
    try { const found = await read(figure.dataset.equity); data = [found.at, found.equity]; }
    catch (error) { say(figure, `The line cannot be read: ${error.message}`); return; }
    let plot = null;
    const redraw = () => { if (plot) plot.destroy(); plot = new uPlot(lineOptions(figure), data, figure); summary(figure, data); };
    redraw();
    document.addEventListener("themechange", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    new ResizeObserver(() => { if (plot && plot.width !== figure.clientWidth) plot.setSize({ width: figure.clientWidth, height: 220 }); }).observe(figure);
    document.addEventListener("livebatch", (event) => {
      const points = event.detail.equity.filter((point) => point.line === figure.dataset.line && point.equity !== "");
      if (!points.length) return;
      for (const point of points) {
        const last = data[0].length - 1;
        if (last >= 0 && data[0][last] >= point.at) data[1][last] = Number(point.equity);
        else { data[0].push(point.at); data[1].push(Number(point.equity)); }
      }
      plot.setData(data);
      summary(figure, data);
    });
  }

  function signed(value) {
    const rounded = Math.round(value * 100) / 100;
    return `${rounded > 0 ? "+" : rounded < 0 ? "−" : ""}${number.format(Math.abs(rounded))} %`;
  }

  function recordOptions(figure) {
    const options = lineOptions(figure);
    options.axes[1].values = (_, ticks) => ticks.map((tick) => `${number.format(tick)} %`);
    options.series = [{}, { stroke: colour("--accent"), width: 2, points: { show: false } }, { stroke: colour("--bad"), width: 1, fill: `${colour("--bad")}22`, points: { show: false } }];
    return options;
  }

  // Return and drawdown in percent; the figure carries its numbers, so that a renewed one is drawn as it comes.
  function drawRecord(figure) {
    if (figure.dataset.isDrawn) return;
    figure.dataset.isDrawn = "yes";
    const found = JSON.parse(figure.dataset.record);
    if (found.at.length < 2) { figure.classList.add("blank"); say(figure, "Nothing to draw yet: a line needs two points."); return; }
    const last = found.growth[found.growth.length - 1];
    say(figure, `Return ${signed(last)} (line), deepest drawdown ${signed(Math.min(...found.drawdown))} (area below), since ${told(found.at[0]).slice(0, 10)}.`);
    if (!window.uPlot) return;
    let plot = null;
    const redraw = () => { if (!figure.isConnected) return; if (plot) plot.destroy(); plot = new uPlot(recordOptions(figure), [found.at, found.growth, found.drawdown], figure); };
    redraw();
    document.addEventListener("themechange", redraw);
    new ResizeObserver(() => { if (plot.width !== figure.clientWidth) plot.setSize({ width: figure.clientWidth, height: 220 }); }).observe(figure);
  }

  function candleColours() {
    return { upColor: colour("--up"), downColor: colour("--down"), wickUpColor: colour("--up"), wickDownColor: colour("--down"), borderVisible: false };
  }

  function chartColours() {
    return {
      layout: { background: { color: colour("--card") }, textColor: colour("--soft"), attributionLogo: true },
      grid: { vertLines: { color: colour("--line") }, horzLines: { color: colour("--line") } },
      localization: { timeFormatter: told },
      timeScale: { timeVisible: true, tickMarkFormatter: (at, kind) => (kind < CLOCK_TICK ? told(at).slice(5, 10) : told(at).slice(11)), rightOffset: 6, borderColor: colour("--line") }, rightPriceScale: { borderColor: colour("--line") },
    };
  }

  function asMarkers(fills, candles) {
    return fills.filter((fill) => candles.length && fill.at >= candles[0][0]).map((fill) => ({
      time: candles.reduce((found, candle) => (candle[0] <= fill.at ? candle[0] : found), candles[0][0]), id: String(fill.id),
      position: fill.side === "buy" ? "belowBar" : "aboveBar", shape: fill.side === "buy" ? "arrowUp" : "arrowDown",
      color: fill.side === "buy" ? colour("--up") : colour("--down"), text: `${fill.side} ${fill.quantity}`,
    }));
  }

  const asCandle = (one) => ({ time: one[0], open: one[1], high: one[2], low: one[3], close: one[4] });

  async function drawCandles(figure) {
    const library = window.LightweightCharts;
    if (!library) { say(figure, "The drawing library is not installed (make assets); use “Show as table”."); return; }
    const found = await readCandles(figure);
    if (!found) return;
    const box = figure.appendChild(document.createElement("div"));
    const chart = library.createChart(box, {
      ...chartColours(), width: figure.clientWidth, height: 360, handleScroll: { vertTouchDrag: false }, autoSize: false,
    });
    const series = chart.addSeries(library.CandlestickSeries, candleColours());
    series.setData(found.candles.map(asCandle));
    const markers = library.createSeriesMarkers(series, asMarkers(found.fills, found.candles));
    const describe = () => {
      const last = found.candles[found.candles.length - 1];
      const origin = found.resampled_from ? ` Resampled from ${found.resampled_from} candles.` : "";
      const close = found.is_forming ? "The last candle is forming, now" : "Last close";
      say(figure, last ? `${close} ${number.format(last[4])}; ${found.fills.length} fill${found.fills.length === 1 ? "" : "s"} of this account: ▲ bought, ▼ sold. Times in ${zone}.${origin}` : "The venue has no candles for this symbol.");
    };
    describe();
    document.addEventListener("themechange", () => { chart.applyOptions(chartColours()); series.applyOptions(candleColours()); markers.setMarkers(asMarkers(found.fills, found.candles)); });
    new ResizeObserver(() => chart.applyOptions({ width: figure.clientWidth })).observe(figure);
    async function renew() {
      if (document.hidden) return;
      const fresh = await read(`${figure.dataset.candles}&limit=3`).catch(() => null);
      if (!fresh) return;
      for (const candle of fresh.candles) {
        const last = found.candles[found.candles.length - 1];
        if (last && candle[0] < last[0]) continue;
        if (last && candle[0] === last[0]) found.candles.pop();
        found.candles.push(candle);
        series.update(asCandle(candle));
      }
      found.is_forming = fresh.is_forming;
      if (fresh.fills.length) { found.fills = fresh.fills; markers.setMarkers(asMarkers(found.fills, found.candles)); }
      describe();
    }
    setInterval(renew, REFRESH);
    document.addEventListener("livebatch", (event) => {
      const own = event.detail.fills.filter((fill) => String(fill.account_id) === figure.dataset.account && fill.symbol === figure.dataset.symbol);
      if (own.length) renew();
    });
  }

  const drawRecords = () => document.querySelectorAll("[data-record]").forEach(drawRecord);
  drawRecords();
  document.addEventListener("htmx:after:swap", drawRecords);
  document.querySelectorAll("[data-equity]").forEach(drawLine);
  document.querySelectorAll("[data-candles]").forEach(drawCandles);
})();
