// The tracker of Analytics. docs/tracker.md says what it measures, how, and what it never tells.
(() => {
  'use strict';
  const script = document.currentScript;
  const options = script.dataset;
  const endpoint = (options.endpoint || new URL(script.src).origin).replace(/\/+$/, '') + '/v1/';
  const now = () => performance.now();
  const shown = () => document.visibilityState == 'visible';
  const on = (target, types, handler) =>
    types.split(' ').forEach(type => target.addEventListener(type, handler, { capture: true, passive: true }));

  let off = navigator.globalPrivacyControl;
  try {
    off = off || localStorage.getItem('analytics-opt-out');
  } catch (e) {
    // Storage is forbidden, so nobody opted out in it.
  }

  // The page view, and what happened on it since the last beacon.
  let view, told, since, ticked, settled, bottom, lastY, scrolled, direction, sectors, mouse, visible, focused, left;

  const page = () => location.origin + location.pathname +
    ('query' in options ? location.search : '') + ('hash' in options ? location.hash : '');

  const automation = [
    ['webdriver', navigator.webdriver],
    ['headless', /headless/i.test(navigator.userAgent)],
    ['no_languages', !navigator.languages || !navigator.languages.length],
    ['phantom', window.callPhantom || window._phantom],
    ['nightmare', window.__nightmare],
    ['selenium', document.__selenium_unwrapped || document.__webdriver_evaluate ||
      Object.keys(document).concat(Object.keys(window)).some(key => /^\$?cdc_/.test(key))],
    ['playwright', window.__playwright__binding__ || window.__pwInitScripts],
  ].filter(flag => flag[1]).map(flag => flag[0]);

  const reset = () => {
    since = ticked = now();
    bottom = scrolled = direction = 0;
    sectors = [0, 0, 0, 0, 0, 0, 0, 0];
    told = {
      time_on_page_ms: 0, visible_time_ms: 0, hidden_time_ms: 0, focus_time_ms: 0, blur_count: 0, tab_switches: 0,
      scroll_direction_changes: 0, click_count: 0, mouse_move_distance_px: 0, keyboard_events: 0, copy_events: 0,
      clicks: [],
    };
  };

  // Adds the time since the last tick to what was the case in it.
  const tick = () => {
    const passed = now() - ticked;
    ticked += passed;
    told.time_on_page_ms += passed;
    told[visible ? 'visible_time_ms' : 'hidden_time_ms'] += passed;
    if (focused) told.focus_time_ms += passed;
  };

  // The first of its kind on this page view.
  const first = name => {
    if (!view[name]) {
      view[name] = 1;
      told['time_to_first_' + name + '_ms'] = now() - since;
    }
  };

  // Something came of the clicks before it.
  const sign = name => told.clicks.forEach(click => {
    if (click.outcome[name] == null) click.outcome[name] = now() - since - click.at_ms;
  });

  // A UUIDv7 of the server's time, so that a beacon that comes twice is noticed.
  const id = () => {
    let random = '';
    while (random.length < 18) random += Math.floor(Math.random() * 16).toString(16);
    return view.clock && Math.floor(now() + view.clock).toString(16).padStart(12, '0') +
      '7' + random.slice(0, 3) + '8' + random.slice(3);
  };

  const send = (path, body) => {
    body = JSON.stringify(Object.assign({ id: id(), token: view.token, page_url: view.url }, body));
    if (!navigator.sendBeacon || !navigator.sendBeacon(endpoint + path, body)) {
      fetch(endpoint + path, { method: 'POST', body, keepalive: true }).catch(() => {});
    }
  };

  const flush = () => {
    tick();
    // Leaving a page tells so twice, within a moment.
    if (off || told.time_on_page_ms < 20) return;
    const root = document.documentElement;
    const height = Math.max(root.scrollHeight, innerHeight, 1);
    const moves = sectors.reduce((sum, n) => sum + n);
    const end = now() - since;
    told.clicks.forEach(click => { click.outcome.watched_ms = end - click.at_ms; });
    send('engagement', Object.assign(told, {
      max_scroll_depth: Math.min(100, Math.max(bottom, scrollY + innerHeight) / height * 100),
      scroll_velocity_avg: told.visible_time_ms > 0 ? scrolled / told.visible_time_ms * 1000 : 0,
      mouse_path_entropy: moves ?
        Math.max(0, -sectors.reduce((sum, n) => n ? sum + n / moves * Math.log2(n / moves) : sum, 0)) : undefined,
      viewport_width: innerWidth,
      viewport_height: innerHeight,
      automation,
    }));
    reset();
  };

  // A page view begins: its token is asked for, which is also how the server learns of it.
  const open = navigation => {
    const asked = now();
    const referrer = view ? view.url : document.referrer;
    const opened = view = { url: page() };
    visible = shown();
    focused = document.hasFocus();
    lastY = scrollY;
    settled = navigation == 'load' ? 0 : asked + 250;
    reset();
    fetch(endpoint + 'page-token', {
      method: 'POST',
      body: JSON.stringify({
        page_url: opened.url, referrer, navigation, campaign: (location.search.match(/utm_\w+=[^&]*/g) || []).join('&'),
      }),
    }).then(answer => {
      // The server does not measure those who asked not to be.
      if (answer.status == 204) off = true;
      else return answer.json();
    }).then(answer => {
      if (!answer || !answer.token || view != opened) return;
      // Held against a token that was long on its way, the time before it would look impossible.
      const passed = now() - asked;
      if (passed > 1900) flush();
      opened.token = answer.token;
      opened.clock = answer.now_ms - asked - passed;
    }).catch(() => {});
  };

  // The address may have changed without a load.
  const moved = () => {
    sign('navigation_ms');
    if (page() != view.url) {
      flush();
      open('single_page');
    }
  };

  const start = () => {
    open('load');

    on(document, 'visibilitychange', () => {
      // A page that was left is hidden as well, at times a while later, and that is no switch of tabs.
      if (left) return;
      if (shown()) tick();
      else {
        told.tab_switches++;
        sign('navigation_ms');
        flush();
      }
      visible = shown();
    });
    on(window, 'pagehide', () => {
      flush();
      left = true;
    });
    on(window, 'pageshow', event => {
      left = false;
      if (event.persisted) open('restored');
    });
    on(window, 'blur focus', event => {
      if (event.target != window) return;
      tick();
      focused = event.type == 'focus';
      if (!focused) {
        told.blur_count++;
        sign('focus_ms');
      }
    });

    on(document, 'scroll', event => {
      sign('scroll_ms');
      if (event.target != document) return;
      const by = scrollY - lastY;
      lastY = scrollY;
      // What a site scrolls when it shows another page is nobody's scrolling.
      if (!by || now() < settled) return;
      scrolled += Math.abs(by);
      if (by * direction < 0) told.scroll_direction_changes++;
      direction = by;
      bottom = Math.max(bottom, scrollY + innerHeight);
      first('scroll');
    });

    on(document, 'pointermove', event => {
      if (event.pointerType != 'mouse' || !event.isTrusted) return;
      const x = event.screenX, y = event.screenY;
      if (mouse) {
        const dx = x - mouse[0], dy = y - mouse[1];
        if (dx || dy) {
          told.mouse_move_distance_px += Math.hypot(dx, dy);
          sectors[(Math.round(Math.atan2(dy, dx) / Math.PI * 4) + 8) % 8]++;
        }
      }
      mouse = [x, y];
    });

    const selection = () => String(getSelection());
    let selected, watching, changed;
    const mutated = () => {
      changed = true;
      sign('mutation_ms');
    };
    const watcher = new MutationObserver(mutated);
    // Menus open when the button goes down, before there is a click.
    on(document, 'pointerdown', event => {
      if (event.isTrusted) first('interaction');
      selected = selection();
      changed = false;
      watcher.observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
      clearTimeout(watching);
      watching = setTimeout(() => watcher.disconnect(), 5000);
    });
    on(document, 'keydown', event => {
      if (!event.isTrusted || event.repeat) return;
      told.keyboard_events++;
      first('interaction');
    });
    on(document, 'copy', () => { told.copy_events++; });
    on(document, 'click', event => {
      // A key that presses a button is a key.
      if (!event.isTrusted || !event.detail) return;
      told.click_count++;
      const target = event.composedPath()[0];
      const selects = selection();
      if (told.clicks.length < 64) {
        told.clicks.push({
          at_ms: now() - since, x: event.pageX, y: event.pageY,
          selects_text: !!selects && selects != selected,
          interactive: !!(target.closest && target.closest(
            'a[href]:not([download],[href^="mailto:"],[href^="tel:"]),button,summary,[role=button],[role=link],' +
            '[onclick],input[type=button],input[type=submit],input[type=image],input[type=reset]')),
          outcome: changed ? { mutation_ms: 0 } : {},
        });
      }
    });
    on(document, 'focusin', () => sign('focus_ms'));
    on(document, 'input change toggle', mutated);

    ['pushState', 'replaceState'].forEach(name => {
      const original = history[name];
      history[name] = function () {
        original.apply(this, arguments);
        moved();
      };
    });
    on(window, 'popstate hashchange', moved);
    if (window.navigation) on(window.navigation, 'navigate', () => sign('navigation_ms'));
  };

  window.analytics = {
    event: (name, properties) => { if (!off && view) send('events', { name, properties }); },
  };
  if (off) return;
  if (document.prerendering) document.addEventListener('prerenderingchange', start, { once: true });
  else start();
})();
