'use strict';
// Asks for the state once a second, and shows it. Everything is shown as text, never as markup.
const element = (id) => document.getElementById(id);
const make = (name, text) => {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
};
const known = (value) => value !== null && value !== undefined;
// Thousands are set apart by a comma, as in the report.
const decimal = (value, digits) =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const mb = (value) => (known(value) ? decimal(value, 1) + ' MB' : '–');
const words = { pass: 'pass so far', fail: 'fail', inconclusive: 'undecided so far' };

const clock = (seconds) => {
  const two = (value) => String(Math.floor(value)).padStart(2, '0');
  return two(seconds / 3600) + ':' + two((seconds / 60) % 60) + ':' + two(seconds % 60);
};

const figures = (state) => {
  const done = state.succeeded + state.failed + state.timed_out;
  const all = [['time', clock(state.elapsed_s)]];
  if (done > 0 || state.outstanding > 0) {
    all.push(['tasks done', decimal(done, 0)], ['failed or timed out', decimal(state.failed + state.timed_out, 0)]);
    all.push(['outstanding', decimal(state.outstanding, 0)]);
  }
  if (known(state.tasks_per_s)) all.push(['tasks per second', decimal(state.tasks_per_s, 2)]);
  if (known(state.level)) all.push(['level of the ramp', state.level]);
  if (known(state.held)) all.push(['highest level held', state.held]);
  for (const found of state.growth) {
    const digits = (value) => decimal(value, Math.abs(value) < 100 ? 2 : 0);
    const interval = found.interval_mb ? ' (' + found.interval_mb.map(digits).join(' to ') + ')' : '';
    all.push(['growth of ' + found.role + ', MB per ' + found.per, digits(found.rate_mb) + interval]);
  }
  if (state.warnings > 0) all.push(['warnings', state.warnings]);
  return all;
};

// Memory over time as one line. What wanders by less than a tenth is nearly flat.
const line = (role, trail, low, high) => {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  const span = Math.max(1, high / 10, high - low);
  const [from, to] = [trail[0][0], Math.max(trail[trail.length - 1][0], trail[0][0] + 1)];
  const at = ([s, value]) => [(100 * (s - from)) / (to - from), 38 - (36 * (value - low)) / span];
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', 'M' + trail.map((point) => at(point).map((x) => x.toFixed(2)).join(' ')).join('L'));
  svg.setAttribute('viewBox', '0 0 100 40');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', 'Memory of ' + role + ' from ' + mb(low) + ' to ' + mb(high));
  svg.append(path);
  return svg;
};

const role = ([name, now]) => {
  const parts = [make('h2', name + ': ' + mb(now.rss_mb))];
  const more = [];
  if (known(now.private_mb)) more.push('private ' + mb(now.private_mb));
  if (known(now.cpu_percent)) more.push('CPU ' + now.cpu_percent.toFixed(0) + ' %');
  if (known(now.fds)) more.push(now.fds + ' descriptors');
  if (known(now.threads)) more.push(now.threads + ' threads');
  more.push(now.processes + (now.processes === 1 ? ' process' : ' processes'));
  const text = make('p', more.join(' · '));
  text.className = 'quiet';
  parts.push(text);
  if (now.trail.length > 1) {
    const all = now.trail.map((point) => point[1]);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const range = make('p', 'since ' + clock(now.trail[0][0]) + ', lowest ' + mb(low) + ', highest ' + mb(high));
    range.className = 'quiet';
    parts.push(line(name, now.trail, low, high), range);
  }
  return parts;
};

const show = (state) => {
  element('title').textContent = state.title;
  document.title = words[state.verdict] + ' – highwater';
  element('verdict').textContent = (state.ended ? 'over: ' : '') + words[state.verdict];
  element('doing').textContent = state.doing + (state.last_warning ? '\nwarning: ' + state.last_warning : '');
  element('figures').replaceChildren(
    ...figures(state).map(([name, value]) => {
      const pair = document.createElement('div');
      pair.append(make('dt', name), make('dd', value));
      return pair;
    }),
  );
  element('roles').replaceChildren(...Object.entries(state.roles).flatMap(role));
  const list = document.createElement('ul');
  list.append(...state.criteria.map((found) => make('li', found.verdict.toUpperCase() + '  ' + found.title + ': ' + found.detail)));
  element('criteria').replaceChildren(...(state.criteria.length > 0 ? [make('h2', 'Criteria'), list] : []));
  element('connection').textContent = '';
};

let misses = 0;
const ask = async () => {
  try {
    const answer = await fetch('state', { cache: 'no-store' });
    if (!answer.ok) throw new Error(String(answer.status));
    show(await answer.json());
    misses = 0;
  } catch {
    misses += 1;
    element('connection').textContent = 'the run has ended, or cannot be reached; these are its last figures';
  }
  // A run that has ended does not come back.
  if (misses < 5) setTimeout(ask, 1000);
};
ask();
