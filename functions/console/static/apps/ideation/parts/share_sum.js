/** The rule of the API for the sum of the shares. `sum_tolerance` in `shared/apps/ideation/models.py` is the same. */

const DECIMALS = 6;

/**
 * Whether shares in percent add up to 100, give or take half a unit of the last decimal for each: a sixth is written as
 * 16.67, 16.7 or 17. One or two whole numbers have to be exactly 100.
 * @param {readonly number[]} given
 */
export function addUpTo100(given) {
  const shares = given.map((share) => Number(share.toFixed(DECIMALS)));
  const decimals = Math.max(0, ...shares.map(decimalsOf));
  const rounding = decimals > 0 ? (shares.length * 0.5) / 10 ** decimals : Math.floor((shares.length - 1) / 2);
  const tolerance = Math.max(0.01, Number(rounding.toFixed(DECIMALS)));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return Number(Math.abs(total - 100).toFixed(DECIMALS)) <= tolerance;
}

/** @param {number} share */
function decimalsOf(share) {
  return (share.toFixed(DECIMALS).replace(/0+$/, "").split(".")[1] ?? "").length;
}
