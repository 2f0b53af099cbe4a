"""How the pages look, by day and by night. Each colour is named once."""

STYLE = """
:root { --ground: #fff; --raised: #f7f7f8; --line: #e3e3e6; --ink: #1d1c1d; --quiet: #616065; --link: #1264a3;
  --mark: #fdf2d0; --mark-ink: #8a5a00; --code-ink: #b3123f; --avatar: #4a5fc1; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #1a1d21; --raised: #22252a; --line: #363a40; --ink: #d9dbde; --quiet: #9a9da3; --link: #6cb5ee;
    --mark: #4a3c12; --mark-ink: #f3d27a; --code-ink: #ee8aa3; --avatar: #5d72d6; }
}
* { box-sizing: border-box; }
body { margin: 0; height: 100vh; display: flex; flex-direction: column; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
p { margin: 0; }
header { display: flex; align-items: baseline; gap: 14px; padding: 12px 24px; border-bottom: 1px solid var(--line); }
header h1 { margin: 0; font-size: 18px; overflow-wrap: anywhere; }
header .quiet { margin-left: auto; }
footer { margin: 0 24px 16px; padding: 10px 14px; border: 1px solid var(--line); border-radius: 8px;
  color: var(--quiet); font-size: 13px; }
/* Turned upside down, so that without a script it opens at its end, as Slack does. */
main { flex: 1; min-height: 0; overflow-y: auto; display: flex; flex-direction: column-reverse; }
.messages { width: 100%; max-width: 1000px; margin-bottom: auto; padding: 12px 24px 18px; }
.quiet, .note { color: var(--quiet); font-size: 13px; font-weight: normal; }
.note { text-align: center; }
h2 { display: flex; align-items: center; gap: 12px; margin: 18px 0 10px; font-size: 13px; }
h2::before, h2::after { content: ""; flex: 1; border-top: 1px solid var(--line); }
h2 span { padding: 2px 14px; border: 1px solid var(--line); border-radius: 14px; }
article { display: flex; gap: 10px; padding: 7px 0; }
.avatar { flex: none; width: 36px; height: 36px; border-radius: 8px; background: var(--avatar); color: #fff;
  font-weight: bold; font-size: 18px; line-height: 36px; text-align: center; }
.body { flex: 1; min-width: 0; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }
.name, td, th { unicode-bidi: isolate; }
.name { overflow-wrap: anywhere; font-weight: 600; }
.mention { padding: 0 3px; border-radius: 3px; background: var(--mark); color: var(--mark-ink); font-weight: 600; }
code, pre { font: 13px/1.45 ui-monospace, "SF Mono", Menlo, "Liberation Mono", monospace; border: 1px solid var(--line);
  border-radius: 4px; background: var(--raised); }
code { padding: 1px 4px; color: var(--code-ink); }
pre { margin: 4px 0; padding: 8px 10px; white-space: pre-wrap; overflow-wrap: anywhere; }
.thread { margin-top: 6px; padding-left: 14px; border-left: 2px solid var(--line); }
.thread article { padding: 5px 0; }
.thread .avatar { width: 24px; height: 24px; border-radius: 6px; font-size: 13px; line-height: 24px; }
.file { display: inline-block; max-width: 100%; margin-top: 4px; padding: 8px 12px; border: 1px solid var(--line);
  border-radius: 8px; }
.file img { display: block; max-width: min(100%, 480px); max-height: 360px; margin-top: 6px; border-radius: 4px; }
.wide { overflow-x: auto; margin: 6px 0 2px; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
td, th { padding: 3px 10px; border: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { background: var(--raised); }
.channels { margin: 0; padding: 0; list-style: none; }
.channels li { padding: 9px 0; border-bottom: 1px solid var(--line); }
.channels a { font-weight: 600; }
@media print { body { height: auto; } main { display: block; overflow: visible; } }
"""
