// The part of the form that is about a deployment: its name, how many replicas there are, and how a change is rolled out.
import { nameFor } from "./deployment-store.js";
import { lasting, setLasting } from "./durations.js";
import { figure } from "./problems.js";
import { Schedule } from "./schedule.js";

const NUMBERS = ["min_replicas", "max_replicas", "target_in_flight"];
const DURATIONS = ["scale_down_after", "hold"];
const byId = (id) => document.getElementById(id);
const form = byId("launch");
const { name, never, surge, fallback, scale_to_zero_after: idle } = form.elements;
export const schedule = new Schedule(byId("schedule-rows"), byId("schedule-row").content.firstElementChild, byId("schedule-add"));

/** As it was typed, or as it follows from the model's. */
export const endpointName = (model) => name.value.trim() || nameFor(model);

/** What PUT takes besides what each replica is; what is empty gets its default. */
export function endpoint() {
  const given = Object.fromEntries(
    [...NUMBERS.map((field) => [field, figure(form.elements[field])]), ...DURATIONS.map((field) => [field, lasting(form, field)]), ["scale_to_zero_after", lasting(form, "scale_to_zero_after")]]
      .map(([field, value]) => [field, value ?? undefined]),
  );
  const rollout = { surge: figure(surge) ?? undefined, settle: lasting(form, "settle") ?? undefined };
  return {
    ...given,
    ...(never.checked && { scale_to_zero_after: null }),
    schedule: schedule.value,
    fallback: fallback.value.trim() || undefined,
    rollout,
  };
}

/** As it was asked for last. */
export function fillEndpoint(asked) {
  for (const field of NUMBERS) form.elements[field].value = asked[field];
  for (const field of DURATIONS) setLasting(form, field, asked[field]);
  never.checked = asked.scale_to_zero_after === null;
  if (!never.checked) setLasting(form, "scale_to_zero_after", asked.scale_to_zero_after);
  schedule.value = asked.schedule;
  fallback.value = asked.fallback ?? "";
  surge.value = asked.rollout.surge;
  setLasting(form, "settle", asked.rollout.settle);
  drawNever();
}

function drawNever() {
  for (const input of [idle, form.elements.scale_to_zero_after_unit]) input.disabled = never.checked;
}

never.addEventListener("change", drawNever);
